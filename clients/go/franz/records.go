package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"milena/clients/checks"
)

// Appends values to partition 0, each acknowledged, and gives the records with their offsets.
func writeValues(topic string, count int, options ...kgo.Opt) ([]*kgo.Record, error) {
	writer := client(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...)
	defer writer.Close()
	var records []*kgo.Record
	for i := range count {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte("k"), Value: fmt.Appendf(nil, "v%d", i)})
	}
	return records, writer.ProduceSync(within(20*time.Second), records...).FirstErr()
}

func newTopic(prefix string, partitions int32, configs map[string]*string) (string, error) {
	name := checks.Fresh(prefix)
	it := client()
	defer it.Close()
	_, err := kadm.NewClient(it).CreateTopic(within(20*time.Second), partitions, 1, configs, name)
	return name, err
}

func versions() error {
	it := client()
	defer it.Close()
	response, err := kmsg.NewPtrApiVersionsRequest().RequestWith(within(10*time.Second), it)
	if err != nil {
		return err
	}
	for _, key := range response.ApiKeys {
		if key.ApiKey == int16(kmsg.Produce) {
			return checks.Equal("Produce", 13, key.MaxVersion)
		}
	}
	return errors.New("no Produce")
}

func everyCodec() error {
	for name, codec := range codecs {
		topic, err := newTopic("codec-"+name, 1, nil)
		if err != nil {
			return err
		}
		written, err := writeValues(topic, 300, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond))
		if err != nil {
			return err
		}
		records, err := readAll(topic, 300)
		if err != nil {
			return err
		}
		for i, record := range records {
			if record.Offset != int64(i) || written[i].Offset != int64(i) || string(record.Value) != fmt.Sprintf("v%d", i) {
				return fmt.Errorf("%s: record %d is %s at %d", name, i, record.Value, record.Offset)
			}
		}
	}
	return nil
}

func acks() error {
	for name, acks := range map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()} {
		topic, err := newTopic("acks-"+name, 1, nil)
		if err != nil {
			return err
		}
		if _, err := writeValues(topic, 30, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite()); err != nil {
			return err
		}
		if _, err := readAll(topic, 30); err != nil {
			return err
		}
	}
	return nil
}

func idempotent() error {
	topic, err := newTopic("idempotent", 1, nil)
	if err != nil {
		return err
	}
	if _, err := writeValues(topic, 5000, kgo.ProducerBatchMaxBytes(512)); err != nil {
		return err
	}
	records, err := readAll(topic, 5000)
	if err != nil {
		return err
	}
	for i, record := range records {
		if string(record.Value) != fmt.Sprintf("v%d", i) {
			return fmt.Errorf("record %d is %s", i, record.Value)
		}
	}
	return nil
}

func headers() error {
	topic, err := newTopic("headers", 1, nil)
	if err != nil {
		return err
	}
	writer := client()
	defer writer.Close()
	at := time.UnixMilli(time.Now().UnixMilli() - 5_000)
	record := &kgo.Record{Topic: topic, Timestamp: at, Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a"}}}
	if err := writer.ProduceSync(within(10*time.Second), record).FirstErr(); err != nil {
		return err
	}
	records, err := readAll(topic, 1)
	if err != nil {
		return err
	}
	got := records[0]
	if got.Key != nil || got.Value != nil || !got.Timestamp.Equal(at) || len(got.Headers) != 2 || got.Headers[1].Value != nil {
		return fmt.Errorf("read %v", got)
	}
	return checks.Equal("leader epoch", 0, got.LeaderEpoch)
}

func tooLarge() error {
	limit := "2000"
	topic, err := newTopic("too-large", 1, map[string]*string{"max.message.bytes": &limit})
	if err != nil {
		return err
	}
	writer := client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer writer.Close()
	record := &kgo.Record{Topic: topic, Value: []byte(strings.Repeat("x", 5000))}
	err = writer.ProduceSync(within(10*time.Second), record).FirstErr()
	return checks.Equal("refusal", true, errors.Is(err, kerr.MessageTooLarge))
}

func positions() error {
	topic, err := newTopic("positions", 1, nil)
	if err != nil {
		return err
	}
	if _, err := writeValues(topic, 50); err != nil {
		return err
	}
	for offset, first := range map[kgo.Offset]string{
		kgo.NewOffset().At(33):                             "v33",
		kgo.NewOffset().AtStart():                          "v0",
		kgo.NewOffset().AtEnd().Relative(-3):               "v47",
		kgo.NewOffset().AfterMilli(1000):                   "v0",
		kgo.NewOffset().At(1000):                           "v0",
		kgo.NewOffset().AtStart().Relative(7).WithEpoch(0): "v7",
	} {
		reader := client(
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: offset}}),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		)
		fetches := reader.PollFetches(within(15 * time.Second))
		records := fetches.Records()
		reader.Close()
		if len(records) == 0 || string(records[0].Value) != first {
			return fmt.Errorf("from %v: %v instead of %s", offset, records, first)
		}
	}
	return nil
}

func longPoll() error {
	topic, err := newTopic("long-poll", 1, nil)
	if err != nil {
		return err
	}
	from := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	reader := client(kgo.ConsumePartitions(from), kgo.FetchMaxWait(8*time.Second))
	defer reader.Close()
	reader.PollFetches(within(time.Second))
	for range 3 {
		written, err := writeValues(topic, 1)
		if err != nil {
			return err
		}
		acknowledged := time.Now()
		records, err := take(reader, len(written))
		if err != nil {
			return err
		}
		if waited := time.Since(acknowledged); waited > 2*time.Second || string(records[0].Value) != "v0" {
			return fmt.Errorf("%s came after %v", records[0].Value, waited)
		}
	}
	return nil
}
