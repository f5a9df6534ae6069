package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"milena/clients/checks"
)

// A member of a group that takes messages until it is closed.
type member struct {
	group    sarama.ConsumerGroup
	ended    chan struct{}
	cancel   context.CancelFunc
	size     atomic.Int32
	messages chan *sarama.ConsumerMessage
}

func join(name, topic string, strategy sarama.BalanceStrategy) (*member, error) {
	config := settings()
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	config.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	group, err := sarama.NewConsumerGroup([]string{address}, name, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	it := &member{group: group, ended: make(chan struct{}), cancel: cancel, messages: make(chan *sarama.ConsumerMessage, 1000)}
	go func() {
		defer close(it.ended)
		for ctx.Err() == nil {
			// An error is followed by another round, which the tests would miss the outcome of.
			_ = group.Consume(ctx, []string{topic}, it)
		}
	}()
	return it, nil
}

func (it *member) Setup(session sarama.ConsumerGroupSession) error {
	size := 0
	for _, partitions := range session.Claims() {
		size += len(partitions)
	}
	it.size.Store(int32(size))
	return nil
}

func (it *member) Cleanup(sarama.ConsumerGroupSession) error {
	it.size.Store(0)
	return nil
}

func (it *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			it.messages <- message
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func (it *member) close() error {
	it.cancel()
	<-it.ended
	return it.group.Close()
}

func members(strategy sarama.BalanceStrategy) error {
	topic, err := newTopic("shared", 4, nil)
	if err != nil {
		return err
	}
	name := checks.Fresh("group")
	first, err := join(name, topic, strategy)
	if err != nil {
		return err
	}
	if err := checks.Eventually("the first has all", func() bool { return first.size.Load() == 4 }); err != nil {
		return err
	}
	second, err := join(name, topic, strategy)
	if err != nil {
		return err
	}
	both := func() bool { return first.size.Load() == 2 && second.size.Load() == 2 }
	if err := checks.Eventually("both have two", both); err != nil {
		return err
	}
	if err := second.close(); err != nil {
		return err
	}
	if err := checks.Eventually("the first has all again", func() bool { return first.size.Load() == 4 }); err != nil {
		return err
	}
	return first.close()
}

func resumes() error {
	topic, err := newTopic("resumed", 1, nil)
	if err != nil {
		return err
	}
	name := checks.Fresh("group")
	for round := range 2 {
		if _, err := writeValues(topic, 10, usual); err != nil {
			return err
		}
		it, err := join(name, topic, sarama.NewBalanceStrategyRange())
		if err != nil {
			return err
		}
		messages, err := take(it.messages, 10)
		if err != nil {
			return err
		}
		if err := checks.Equal("the first offset", int64(10*round), messages[0].Offset); err != nil {
			return err
		}
		if err := it.close(); err != nil {
			return err
		}
	}
	return nil
}

func groups() error {
	topic, err := newTopic("described", 1, nil)
	if err != nil {
		return err
	}
	name := checks.Fresh("group")
	it, err := join(name, topic, sarama.NewBalanceStrategyRange())
	if err != nil {
		return err
	}
	if err := checks.Eventually("an assignment", func() bool { return it.size.Load() == 1 }); err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin([]string{address}, settings())
	if err != nil {
		return err
	}
	defer admin.Close()
	listed, err := admin.ListConsumerGroups()
	if err != nil {
		return err
	}
	if err := checks.Equal("listed", "consumer", listed[name]); err != nil {
		return err
	}
	described, err := admin.DescribeConsumerGroups([]string{name})
	if err != nil {
		return err
	}
	if described[0].State != "Stable" || described[0].Protocol != "range" || len(described[0].Members) != 1 {
		return fmt.Errorf("described %v", described[0])
	}
	if err := it.close(); err != nil {
		return err
	}
	offsets, err := admin.ListConsumerGroupOffsets(name, map[string][]int32{topic: {0}})
	if err != nil {
		return err
	}
	if err := checks.Equal("committed", -1, offsets.GetBlock(topic, 0).Offset); err != nil {
		return err
	}
	return admin.DeleteConsumerGroup(name)
}
