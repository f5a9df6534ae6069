// The suite of franz-go: ADDRESS suite | write TOPIC CODEC | read TOPIC COUNT.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"milena/clients/checks"
)

var address = os.Args[1]

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func main() {
	switch os.Args[2] {
	case "suite":
		checks.Run(suite())
	case "write":
		write(os.Args[3], os.Args[4])
	case "read":
		count, err := strconv.Atoi(os.Args[4])
		checks.ExitOn(err)
		read(os.Args[3], count)
	}
}

func suite() []checks.Test {
	return []checks.Test{
		{"the versions of the broker", versions},
		{"records by every codec", everyCodec},
		{"acks of 0, 1 and all", acks},
		{"an idempotent producer", idempotent},
		{"headers, timestamps and what is null", headers},
		{"a record that is too large is refused", tooLarge},
		{"reading from offsets and times", positions},
		{"a waiting fetch is answered when a record comes", longPoll},
		{"members join and leave, assigned by range", func() error { return members(kgo.RangeBalancer()) }},
		{"members join and leave, assigned cooperatively", func() error { return members(kgo.CooperativeStickyBalancer()) }},
		{"a static member returns with what it had", static},
		{"a group commits and resumes", resumes},
		{"topics are created, listed, grown and deleted", topics},
		{"configs are altered and described", configs},
		{"offsets are listed and records deleted", offsets},
		{"groups are listed, described and deleted", groups},
		{"offsets by leader epoch", leaderEpochs},
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	it, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(address)}, options...)...)
	checks.ExitOn(err)
	return it
}

func within(limit time.Duration) context.Context {
	// The program ends soon, and the context with it.
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	time.AfterFunc(limit, cancel)
	return ctx
}

// Polls until so many records came, and no more.
func take(reader *kgo.Client, count int) ([]*kgo.Record, error) {
	var records []*kgo.Record
	ctx := within(20 * time.Second)
	for len(records) < count && ctx.Err() == nil {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil && ctx.Err() == nil {
			return nil, err
		}
		records = append(records, fetches.Records()...)
	}
	if len(records) != count {
		return nil, fmt.Errorf("%d records instead of %d", len(records), count)
	}
	return records, nil
}

func readAll(topic string, count int) ([]*kgo.Record, error) {
	from := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	reader := client(kgo.ConsumePartitions(from))
	defer reader.Close()
	return take(reader, count)
}

func write(topic, codec string) {
	input, err := io.ReadAll(os.Stdin)
	checks.ExitOn(err)
	writer := client(kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var records []*kgo.Record
	for _, it := range checks.LinesIn(string(input)) {
		record := &kgo.Record{Topic: topic, Key: it.Key, Value: it.Value}
		for _, header := range it.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header[0], Value: []byte(header[1])})
		}
		records = append(records, record)
	}
	checks.ExitOn(writer.ProduceSync(within(20*time.Second), records...).FirstErr())
	writer.Close()
}

func read(topic string, count int) {
	records, err := readAll(topic, count)
	checks.ExitOn(err)
	for _, record := range records {
		it := checks.Line{Key: record.Key, Value: record.Value}
		for _, header := range record.Headers {
			it.Headers = append(it.Headers, [2]string{header.Key, string(header.Value)})
		}
		it.Print()
	}
}
