package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"milena/clients/checks"
)

func topics() error {
	name, err := newTopic("made", 3, nil)
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client())
	defer admin.Close()
	ctx := within(20 * time.Second)
	size := func() int {
		details, err := admin.ListTopics(ctx, name)
		if err != nil || details[name].Err != nil {
			return 0
		}
		return len(details[name].Partitions)
	}
	if err := checks.Eventually("three partitions", func() bool { return size() == 3 }); err != nil {
		return err
	}
	grown, err := admin.UpdatePartitions(ctx, 5, name)
	if err != nil || grown.Error() != nil {
		return fmt.Errorf("grown: %v, %v", err, grown.Error())
	}
	if err := checks.Eventually("five partitions", func() bool { return size() == 5 }); err != nil {
		return err
	}
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, name); err != kerr.TopicAlreadyExists {
		return fmt.Errorf("made again: %v", err)
	}
	deleted, err := admin.DeleteTopics(ctx, name)
	if err != nil || deleted.Error() != nil {
		return fmt.Errorf("deleted: %v, %v", err, deleted.Error())
	}
	return checks.Eventually("it is gone", func() bool { return size() == 0 })
}

func configs() error {
	retention, altered := "123456", "654321"
	name, err := newTopic("configured", 1, map[string]*string{"retention.ms": &retention})
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client())
	defer admin.Close()
	ctx := within(20 * time.Second)
	value := func() string {
		described, err := admin.DescribeTopicConfigs(ctx, name)
		if err != nil || len(described) != 1 {
			return ""
		}
		for _, config := range described[0].Configs {
			if config.Key == "retention.ms" {
				return config.MaybeValue()
			}
		}
		return ""
	}
	if err := checks.Eventually("the first value", func() bool { return value() == retention }); err != nil {
		return err
	}
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &altered}}
	outcome, err := admin.AlterTopicConfigs(ctx, change, name)
	if err != nil || outcome[0].Err != nil {
		return fmt.Errorf("altered: %v", err)
	}
	return checks.Eventually("the second value", func() bool { return value() == altered })
}

func offsets() error {
	topic, err := newTopic("offsets", 1, nil)
	if err != nil {
		return err
	}
	if _, err := writeValues(topic, 10); err != nil {
		return err
	}
	admin := kadm.NewClient(client())
	defer admin.Close()
	ctx := within(20 * time.Second)
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	if end, _ := ends.Lookup(topic, 0); end.Offset != 10 {
		return fmt.Errorf("end %v", end)
	}
	before := kadm.Offsets{}
	before.AddOffset(topic, 0, 4, -1)
	if _, err := admin.DeleteRecords(ctx, before); err != nil {
		return err
	}
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	start, _ := starts.Lookup(topic, 0)
	return checks.Equal("start", 4, start.Offset)
}

func leaderEpochs() error {
	topic, err := newTopic("epochs", 1, nil)
	if err != nil {
		return err
	}
	if _, err := writeValues(topic, 7); err != nil {
		return err
	}
	it := client()
	defer it.Close()
	request := kmsg.NewPtrOffsetForLeaderEpochRequest()
	request.ReplicaID = -2
	partition := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	partition.CurrentLeaderEpoch = 0
	partition.LeaderEpoch = 0
	wanted := kmsg.NewOffsetForLeaderEpochRequestTopic()
	wanted.Topic = topic
	wanted.Partitions = append(wanted.Partitions, partition)
	request.Topics = append(request.Topics, wanted)
	response, err := request.RequestWith(within(10*time.Second), it)
	if err != nil {
		return err
	}
	answer := response.Topics[0].Partitions[0]
	if answer.ErrorCode != 0 || answer.LeaderEpoch != 0 {
		return fmt.Errorf("answered %v", answer)
	}
	return checks.Equal("end of the epoch", 7, answer.EndOffset)
}
