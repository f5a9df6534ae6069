package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"milena/clients/checks"
)

func newTopic(prefix string, partitions int32, configs map[string]*string) (string, error) {
	name := checks.Fresh(prefix)
	admin, err := sarama.NewClusterAdmin([]string{address}, settings())
	if err != nil {
		return "", err
	}
	defer admin.Close()
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: configs}
	return name, admin.CreateTopic(name, detail, false)
}

// Appends values to partition 0, each acknowledged.
func writeValues(topic string, count int, change func(*sarama.Config)) ([]*sarama.ProducerMessage, error) {
	config := settings()
	change(config)
	producer, err := sarama.NewSyncProducer([]string{address}, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for i := range count {
		value := sarama.StringEncoder(fmt.Sprintf("v%d", i))
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("k"), Value: value})
	}
	return messages, producer.SendMessages(messages)
}

func usual(*sarama.Config) {}

func inOrder(topic string, count int) error {
	messages, err := readAll(topic, count)
	if err != nil {
		return err
	}
	for i, message := range messages {
		if message.Offset != int64(i) || string(message.Value) != fmt.Sprintf("v%d", i) {
			return fmt.Errorf("record %d is %s at %d", i, message.Value, message.Offset)
		}
	}
	return nil
}

func everyCodec() error {
	for name, codec := range codecs {
		if codec == sarama.CompressionZSTD && !speaks(sarama.V2_1_0_0) {
			continue
		}
		topic, err := newTopic("codec-"+name, 1, nil)
		if err != nil {
			return err
		}
		if _, err := writeValues(topic, 300, func(config *sarama.Config) { config.Producer.Compression = codec }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := inOrder(topic, 300); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func acks() error {
	for _, acks := range []sarama.RequiredAcks{sarama.NoResponse, sarama.WaitForLocal, sarama.WaitForAll} {
		topic, err := newTopic("acks", 1, nil)
		if err != nil {
			return err
		}
		if _, err := writeValues(topic, 30, func(config *sarama.Config) { config.Producer.RequiredAcks = acks }); err != nil {
			return err
		}
		if err := inOrder(topic, 30); err != nil {
			return fmt.Errorf("acks %d: %w", acks, err)
		}
	}
	return nil
}

func idempotent() error {
	topic, err := newTopic("idempotent", 1, nil)
	if err != nil {
		return err
	}
	_, err = writeValues(topic, 3000, func(config *sarama.Config) {
		config.Producer.Idempotent = true
		config.Producer.RequiredAcks = sarama.WaitForAll
		config.Producer.Flush.MaxMessages = 20
		config.Net.MaxOpenRequests = 1
	})
	if err != nil {
		return err
	}
	return inOrder(topic, 3000)
}

func headers() error {
	topic, err := newTopic("headers", 1, nil)
	if err != nil {
		return err
	}
	producer, err := sarama.NewSyncProducer([]string{address}, settings())
	if err != nil {
		return err
	}
	defer producer.Close()
	at := time.UnixMilli(time.Now().UnixMilli() - 5_000)
	message := &sarama.ProducerMessage{
		Topic: topic, Timestamp: at, Value: sarama.StringEncoder("v"),
		Headers: []sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")}},
	}
	if _, _, err := producer.SendMessage(message); err != nil {
		return err
	}
	messages, err := readAll(topic, 1)
	if err != nil {
		return err
	}
	got := messages[0]
	if got.Key != nil || !got.Timestamp.Equal(at) || len(got.Headers) != 2 || string(got.Headers[1].Value) != "2" {
		return fmt.Errorf("read %v", got)
	}
	return nil
}

func tooLarge() error {
	limit := "2000"
	topic, err := newTopic("too-large", 1, map[string]*string{"max.message.bytes": &limit})
	if err != nil {
		return err
	}
	producer, err := sarama.NewSyncProducer([]string{address}, settings())
	if err != nil {
		return err
	}
	defer producer.Close()
	large := sarama.StringEncoder(strings.Repeat("x", 5000))
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: large})
	if !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		return fmt.Errorf("answered %v", err)
	}
	return nil
}

func offsets() error {
	topic, err := newTopic("offsets", 1, nil)
	if err != nil {
		return err
	}
	if _, err := writeValues(topic, 20, usual); err != nil {
		return err
	}
	client, err := sarama.NewClient([]string{address}, settings())
	if err != nil {
		return err
	}
	defer client.Close()
	later := time.Now().Add(time.Hour).UnixMilli()
	for at, expected := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: 20, 1000: 0, later: -1} {
		offset, err := client.GetOffset(topic, 0, at)
		if err != nil {
			return err
		}
		if err := checks.Equal(fmt.Sprintf("offset at %d", at), expected, offset); err != nil {
			return err
		}
	}
	return nil
}

func deleteRecords() error {
	topic, err := newTopic("delete-records", 1, nil)
	if err != nil {
		return err
	}
	if _, err := writeValues(topic, 20, usual); err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin([]string{address}, settings())
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := admin.DeleteRecords(topic, map[int32]int64{0: 12}); err != nil {
		return err
	}
	messages, err := readAll(topic, 8)
	if err != nil {
		return err
	}
	return checks.Equal("the first offset", 12, messages[0].Offset)
}
