// The suite of Sarama: -version default|newest|N.N.N ADDRESS suite | write TOPIC CODEC | read TOPIC COUNT.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"milena/clients/checks"
)

var (
	address string
	version = flag.String("version", "default", "the version of Kafka that Sarama is told to speak")
)

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func main() {
	flag.Parse()
	address = flag.Arg(0)
	switch flag.Arg(1) {
	case "suite":
		checks.Run(suite())
	case "write":
		write(flag.Arg(2), flag.Arg(3))
	case "read":
		count, err := strconv.Atoi(flag.Arg(3))
		checks.ExitOn(err)
		read(flag.Arg(2), count)
	}
}

func suite() []checks.Test {
	tests := []checks.Test{
		{"records by every codec", everyCodec},
		{"acks of 0, 1 and all", acks},
		{"an idempotent producer", idempotent},
		{"headers and timestamps", headers},
		{"a record that is too large is refused", tooLarge},
		{"offsets of partitions and times", offsets},
		{"members join and leave, assigned by range", func() error { return members(sarama.NewBalanceStrategyRange()) }},
		{"members join and leave, assigned stickily", func() error { return members(sarama.NewBalanceStrategySticky()) }},
		{"a group commits and resumes", resumes},
		{"topics are created, described, grown and deleted", topics},
		{"records are deleted", deleteRecords},
	}
	// Before 1.1 there was no DeleteGroups, and of DescribeConfigs only what Kafka 4 no longer serves.
	if speaks(sarama.V1_1_0_0) {
		tests = append(tests,
			checks.Test{"configs are described and altered", configs},
			checks.Test{"groups are listed, described and deleted", groups},
		)
	}
	return tests
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	switch *version {
	case "default":
	case "newest":
		config.Version = sarama.MaxVersion
	default:
		parsed, err := sarama.ParseKafkaVersion(*version)
		checks.ExitOn(err)
		config.Version = parsed
	}
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	return config
}

// Whether the version that Sarama speaks is at least this one.
func speaks(least sarama.KafkaVersion) bool {
	return settings().Version.IsAtLeast(least)
}

func write(topic, codec string) {
	input, err := io.ReadAll(os.Stdin)
	checks.ExitOn(err)
	config := settings()
	config.Producer.Compression = codecs[codec]
	producer, err := sarama.NewSyncProducer([]string{address}, config)
	checks.ExitOn(err)
	var messages []*sarama.ProducerMessage
	for _, it := range checks.LinesIn(string(input)) {
		message := &sarama.ProducerMessage{Topic: topic}
		if it.Key != nil {
			message.Key = sarama.ByteEncoder(it.Key)
		}
		if it.Value != nil {
			message.Value = sarama.ByteEncoder(it.Value)
		}
		for _, header := range it.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header[0]), Value: []byte(header[1])})
		}
		messages = append(messages, message)
	}
	checks.ExitOn(producer.SendMessages(messages))
	checks.ExitOn(producer.Close())
}

func read(topic string, count int) {
	messages, err := readAll(topic, count)
	checks.ExitOn(err)
	for _, message := range messages {
		it := checks.Line{Key: message.Key, Value: message.Value}
		for _, header := range message.Headers {
			it.Headers = append(it.Headers, [2]string{string(header.Key), string(header.Value)})
		}
		it.Print()
	}
}

func readAll(topic string, count int) ([]*sarama.ConsumerMessage, error) {
	consumer, err := sarama.NewConsumer([]string{address}, settings())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	return take(partition.Messages(), count)
}

// So many messages.
func take(source <-chan *sarama.ConsumerMessage, count int) ([]*sarama.ConsumerMessage, error) {
	var messages []*sarama.ConsumerMessage
	limit := time.After(20 * time.Second)
	for len(messages) < count {
		select {
		case message := <-source:
			messages = append(messages, message)
		case <-limit:
			return nil, fmt.Errorf("%d records instead of %d", len(messages), count)
		}
	}
	return messages, nil
}
