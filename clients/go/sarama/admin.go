package main

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"milena/clients/checks"
)

func topics() error {
	name, err := newTopic("made", 3, nil)
	if err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin([]string{address}, settings())
	if err != nil {
		return err
	}
	defer admin.Close()
	size := func() int {
		described, err := admin.DescribeTopics([]string{name})
		if err != nil || described[0].Err != sarama.ErrNoError {
			return 0
		}
		return len(described[0].Partitions)
	}
	if err := checks.Eventually("three partitions", func() bool { return size() == 3 }); err != nil {
		return err
	}
	if err := admin.CreatePartitions(name, 5, nil, false); err != nil {
		return err
	}
	if err := checks.Eventually("five partitions", func() bool { return size() == 5 }); err != nil {
		return err
	}
	err = admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	if !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		return fmt.Errorf("made again: %v", err)
	}
	if err := admin.DeleteTopic(name); err != nil {
		return err
	}
	return checks.Eventually("it is gone", func() bool { return size() == 0 })
}

func configs() error {
	retention, altered := "123456", "654321"
	name, err := newTopic("configured", 1, map[string]*string{"retention.ms": &retention})
	if err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin([]string{address}, settings())
	if err != nil {
		return err
	}
	defer admin.Close()
	value := func() string {
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: name, ConfigNames: []string{"retention.ms"}})
		if err != nil || len(entries) != 1 {
			return ""
		}
		return entries[0].Value
	}
	if err := checks.Eventually("the first value", func() bool { return value() == retention }); err != nil {
		return err
	}
	if !speaks(sarama.V2_3_0_0) {
		return nil // IncrementalAlterConfigs came with 2.3.
	}
	change := map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &altered},
	}
	if err := admin.IncrementalAlterConfig(sarama.TopicResource, name, change, false); err != nil {
		return err
	}
	return checks.Eventually("the second value", func() bool { return value() == altered })
}
