package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"milena/clients/checks"
)

// A member of a group that polls until it is closed.
type member struct {
	client *kgo.Client
	ended  chan struct{}
	mutex  sync.Mutex
	owned  map[int32]bool
}

func join(group, topic string, options ...kgo.Opt) *member {
	it := &member{ended: make(chan struct{}), owned: map[int32]bool{}}
	change := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			it.mutex.Lock()
			defer it.mutex.Unlock()
			for _, partition := range partitions[topic] {
				if owned {
					it.owned[partition] = true
				} else {
					delete(it.owned, partition)
				}
			}
		}
	}
	it.client = client(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
	}, options...)...)
	go func() {
		defer close(it.ended)
		for !it.client.PollFetches(context.Background()).IsClientClosed() {
		}
	}()
	return it
}

func (it *member) size() int {
	it.mutex.Lock()
	defer it.mutex.Unlock()
	return len(it.owned)
}

func (it *member) close() {
	it.client.Close()
	<-it.ended
}

func members(balancer kgo.GroupBalancer) error {
	topic, err := newTopic("shared", 4, nil)
	if err != nil {
		return err
	}
	group := checks.Fresh("group")
	first := join(group, topic, kgo.Balancers(balancer))
	defer first.close()
	if err := checks.Eventually("the first has all", func() bool { return first.size() == 4 }); err != nil {
		return err
	}
	second := join(group, topic, kgo.Balancers(balancer))
	if err := checks.Eventually("both have two", func() bool { return first.size() == 2 && second.size() == 2 }); err != nil {
		return err
	}
	second.close()
	return checks.Eventually("the first has all again", func() bool { return first.size() == 4 })
}

func static() error {
	topic, err := newTopic("static", 2, nil)
	if err != nil {
		return err
	}
	group := checks.Fresh("group")
	session := kgo.SessionTimeout(20 * time.Second)
	first := join(group, topic, kgo.InstanceID("one"), session)
	defer first.close()
	second := join(group, topic, kgo.InstanceID("two"), session)
	if err := checks.Eventually("one each", func() bool { return first.size() == 1 && second.size() == 1 }); err != nil {
		return err
	}
	second.close()
	again := join(group, topic, kgo.InstanceID("two"), session)
	defer again.close()
	if err := checks.Eventually("it is back", func() bool { return again.size() == 1 }); err != nil {
		return err
	}
	return checks.Equal("partitions of the other", 1, first.size())
}

func resumes() error {
	topic, err := newTopic("resumed", 1, nil)
	if err != nil {
		return err
	}
	group := checks.Fresh("group")
	if _, err := writeValues(topic, 10); err != nil {
		return err
	}
	options := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	first := client(options...)
	records, err := take(first, 10)
	if err != nil {
		return err
	}
	if err := first.CommitRecords(within(10*time.Second), records[5]); err != nil {
		return err
	}
	first.Close()
	second := client(options...)
	defer second.Close()
	records, err = take(second, 4)
	if err != nil {
		return err
	}
	return checks.Equal("the first value after the commit", "v6", string(records[0].Value))
}

func groups() error {
	topic, err := newTopic("described", 1, nil)
	if err != nil {
		return err
	}
	group := checks.Fresh("group")
	it := join(group, topic)
	if err := checks.Eventually("an assignment", func() bool { return it.size() == 1 }); err != nil {
		return err
	}
	admin := kadm.NewClient(client())
	defer admin.Close()
	ctx := within(20 * time.Second)
	listed, err := admin.ListGroups(ctx)
	if err != nil {
		return err
	}
	if err := checks.Equal("listed", "Stable", listed[group].State); err != nil {
		return err
	}
	described, err := admin.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	if err := checks.Equal("members", 1, len(described[group].Members)); err != nil {
		return err
	}
	it.close()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 0, -1)
	if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		return err
	}
	fetched, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	if at, ok := fetched.Lookup(topic, 0); !ok || at.At != 0 {
		return fmt.Errorf("fetched %v", fetched)
	}
	deleted, err := admin.DeleteGroup(ctx, group)
	if err != nil {
		return err
	}
	return deleted.Err
}
