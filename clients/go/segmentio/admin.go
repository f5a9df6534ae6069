package main

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"

	"milena/clients/checks"
)

// Settings of a topic are set one by one, and then replaced by one.
func configs() error {
	topic, err := newTopic("configs", 1)
	if err != nil {
		return err
	}
	ctx := context.Background()
	set := kafka.IncrementalAlterConfigsRequestConfig{
		Name: "retention.ms", Value: "7200000", ConfigOperation: kafka.ConfigOperationSet,
	}
	one := kafka.IncrementalAlterConfigsRequestResource{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: []kafka.IncrementalAlterConfigsRequestConfig{set},
	}
	altered, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{one},
	})
	if err = errors.Join(err, altered.Resources[0].Error); err != nil {
		return err
	}
	if err := becomes(topic, "retention.ms", "7200000"); err != nil {
		return err
	}
	replaced, err := client.AlterConfigs(ctx, &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic,
		ResourceName: topic,
		Configs:      []kafka.AlterConfigRequestConfig{{Name: "max.message.bytes", Value: "2000000"}},
	}}})
	if err != nil {
		return err
	}
	for _, err := range replaced.Errors {
		if err != nil {
			return err
		}
	}
	return errors.Join(becomes(topic, "max.message.bytes", "2000000"), becomes(topic, "retention.ms", "604800000"))
}

func becomes(topic, name, value string) error {
	return checks.Eventually(name+" is "+value, func() bool {
		response, err := client.DescribeConfigs(context.Background(), &kafka.DescribeConfigsRequest{
			Resources: []kafka.DescribeConfigRequestResource{{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name},
			}},
		})
		return err == nil && response.Resources[0].ConfigEntries[0].ConfigValue == value
	})
}

func groups() error {
	topic, err := newTopic("groups", 1)
	if err != nil {
		return err
	}
	ctx := context.Background()
	committed, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID:      topic,
		GenerationID: -1,
		Topics:       map[string][]kafka.OffsetCommit{topic: {{Partition: 0, Offset: 7}}},
	})
	if err = errors.Join(err, committed.Topics[topic][0].Error); err != nil {
		return err
	}
	offsets, err := client.ConsumerOffsets(ctx, kafka.TopicAndGroup{Topic: topic, GroupId: topic})
	if err = errors.Join(err, checks.Equal("offset", 7, offsets[0])); err != nil {
		return err
	}
	listed, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return err
	}
	isListed := false
	for _, group := range listed.Groups {
		isListed = isListed || group.GroupID == topic
	}
	described, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{topic}})
	err = errors.Join(err, checks.Equal("listed", true, isListed), checks.Equal("state", "Empty", described.Groups[0].GroupState))
	if err != nil {
		return err
	}
	deleted, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{topic}})
	return errors.Join(err, deleted.Errors[topic])
}

func topics() error {
	topic, err := newTopic("topics", 1)
	if err != nil {
		return err
	}
	ctx := context.Background()
	grown, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 3}},
	})
	if err = errors.Join(err, grown.Errors[topic]); err != nil {
		return err
	}
	err = checks.Eventually("it has three partitions", func() bool {
		found, err := metadata(topic)
		return err == nil && len(found.Partitions) == 3
	})
	if err != nil {
		return err
	}
	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err = errors.Join(err, deleted.Errors[topic]); err != nil {
		return err
	}
	return checks.Eventually("it is gone", func() bool {
		found, err := metadata(topic)
		return err == nil && errors.Is(found.Error, kafka.UnknownTopicOrPartition)
	})
}
