// The suite of segmentio's kafka-go: ADDRESS suite.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"milena/clients/checks"
)

const count = 100

var (
	address string
	client  *kafka.Client
	codecs  = []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd}
)

func main() {
	address = os.Args[1]
	client = &kafka.Client{Addr: kafka.TCP(address), Timeout: 15 * time.Second}
	checks.Run([]checks.Test{
		{"records by every codec", everyCodec},
		{"acks of 0 and 1", acks},
		{"a connection to the leader writes, seeks and reads", leader},
		{"a reader of a partition seeks", seeks},
		{"members join and leave", members},
		{"a group commits and resumes", resumes},
		{"settings are described, altered and replaced", configs},
		{"groups are listed, described and deleted", groups},
		{"topics are grown and deleted", topics},
	})
}

func newTopic(prefix string, partitions int) (string, error) {
	name := checks.Fresh(prefix)
	topic := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}
	response, err := client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err = errors.Join(err, response.Errors[name]); err != nil {
		return name, err
	}
	// Kafka's broker may learn of a topic a little after its controller has answered.
	return name, checks.Eventually("the topic has leaders", func() bool {
		found, err := metadata(name)
		return err == nil && found.Error == nil && len(found.Partitions) == partitions && leads(found.Partitions)
	})
}

func metadata(topic string) (kafka.Topic, error) {
	response, err := client.Metadata(context.Background(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return kafka.Topic{}, err
	}
	return response.Topics[0], nil
}

func leads(partitions []kafka.Partition) bool {
	for _, partition := range partitions {
		if partition.Error != nil || partition.Leader.Host == "" {
			return false
		}
	}
	return true
}

func write(topic string, acks kafka.RequiredAcks, codec kafka.Compression, from, to int) error {
	writer := &kafka.Writer{
		Addr:         kafka.TCP(address),
		Topic:        topic,
		Balancer:     &kafka.RoundRobin{},
		RequiredAcks: acks,
		Compression:  codec,
		BatchTimeout: 5 * time.Millisecond,
	}
	var messages []kafka.Message
	for i := from; i < to; i++ {
		headers := []kafka.Header{{Key: "a", Value: []byte("b")}}
		messages = append(messages, kafka.Message{Value: fmt.Append(nil, i), Headers: headers})
	}
	return errors.Join(writer.WriteMessages(context.Background(), messages...), writer.Close())
}

func reader(config kafka.ReaderConfig) *kafka.Reader {
	config.Brokers = []string{address}
	config.MaxWait = 100 * time.Millisecond
	config.StartOffset = kafka.FirstOffset
	config.HeartbeatInterval = 200 * time.Millisecond
	return kafka.NewReader(config)
}

func everyCodec() error {
	topic, err := newTopic("codecs", 1)
	if err != nil {
		return err
	}
	for i, codec := range codecs {
		if err := write(topic, kafka.RequireAll, codec, i*count, (i+1)*count); err != nil {
			return fmt.Errorf("%v: %w", codec, err)
		}
	}
	it := reader(kafka.ReaderConfig{Topic: topic})
	defer it.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for i := range len(codecs) * count {
		message, err := it.ReadMessage(ctx)
		if err != nil {
			return err
		}
		if err := checks.Equal("value", fmt.Sprint(i), string(message.Value)); err != nil {
			return err
		}
		if err := checks.Equal("header", "b", string(message.Headers[0].Value)); err != nil {
			return err
		}
	}
	return nil
}

func acks() error {
	topic, err := newTopic("acks", 1)
	if err != nil {
		return err
	}
	for _, acks := range []kafka.RequiredAcks{kafka.RequireNone, kafka.RequireOne} {
		if err := write(topic, acks, 0, 0, count); err != nil {
			return err
		}
	}
	return checks.Eventually("all is there", func() bool { return end(topic) == 2*count })
}

func end(topic string) int64 {
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(0)}}}
	response, err := client.ListOffsets(context.Background(), request)
	if err != nil {
		return -1
	}
	return response.Topics[topic][0].LastOffset
}

func leader() error {
	topic, err := newTopic("leader", 1)
	if err != nil {
		return err
	}
	connection, err := kafka.DialLeader(context.Background(), "tcp", address, topic, 0)
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	for i := range 3 {
		if _, err := connection.WriteCompressedMessages(codecs[i+1].Codec(), kafka.Message{Value: fmt.Append(nil, i)}); err != nil {
			return err
		}
	}
	first, last, err := connection.ReadOffsets()
	if err = errors.Join(err, checks.Equal("first", 0, first), checks.Equal("last", 3, last)); err != nil {
		return err
	}
	if _, err := connection.Seek(1, kafka.SeekAbsolute); err != nil {
		return err
	}
	message, err := connection.ReadMessage(1 << 20)
	return errors.Join(err, checks.Equal("value", "1", string(message.Value)))
}

func seeks() error {
	topic, err := newTopic("seeks", 1)
	if err = errors.Join(err, write(topic, kafka.RequireAll, 0, 0, count)); err != nil {
		return err
	}
	it := reader(kafka.ReaderConfig{Topic: topic})
	defer it.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := it.SetOffset(42); err != nil {
		return err
	}
	message, err := it.ReadMessage(ctx)
	if err = errors.Join(err, checks.Equal("offset", 42, message.Offset)); err != nil {
		return err
	}
	if err := it.SetOffsetAt(ctx, time.Now().Add(-time.Hour)); err != nil {
		return err
	}
	message, err = it.ReadMessage(ctx)
	return errors.Join(err, checks.Equal("the offset of a time", 0, message.Offset))
}

// A member of a group that counts what it reads.
type member struct {
	reader *kafka.Reader
	read   atomic.Int64
}

func join(ctx context.Context, topic string) *member {
	config := kafka.ReaderConfig{GroupID: topic, Topic: topic, CommitInterval: 50 * time.Millisecond}
	it := &member{reader: reader(config)}
	go func() {
		for {
			if _, err := it.reader.ReadMessage(ctx); err != nil {
				return
			}
			it.read.Add(1)
		}
	}()
	return it
}

func members() error {
	topic, err := newTopic("members", 4)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first, second := join(ctx, topic), join(ctx, topic)
	written := 0
	// Some to each partition, until both have had some: then they share.
	err = checks.Eventually("they share", func() bool {
		if err := write(topic, kafka.RequireAll, 0, 0, count); err == nil {
			written += count
		}
		return first.read.Load() > 0 && second.read.Load() > 0
	})
	if err != nil {
		return err
	}
	if err := first.reader.Close(); err != nil {
		return err
	}
	if err := write(topic, kafka.RequireAll, 0, 0, count); err != nil {
		return err
	}
	written += count
	err = checks.Eventually("all is read", func() bool { return first.read.Load()+second.read.Load() >= int64(written) })
	return errors.Join(err, second.reader.Close())
}

func resumes() error {
	topic, err := newTopic("resumes", 1)
	if err = errors.Join(err, write(topic, kafka.RequireAll, 0, 0, count)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	for round := range 2 {
		it := reader(kafka.ReaderConfig{GroupID: topic, Topic: topic})
		for i := range count / 2 {
			message, err := it.FetchMessage(ctx)
			err = errors.Join(err, checks.Equal("offset", int64(round*count/2+i), message.Offset))
			if err = errors.Join(err, it.CommitMessages(ctx, message)); err != nil {
				return err
			}
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	return nil
}
