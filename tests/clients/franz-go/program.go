// franz-go: kgo for records and groups, kadm for the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	ctx       = context.Background()
	bootstrap string
	padding   = strings.Repeat(".", 200) // makes a batch worth compressing
)

func main() {
	var cancel context.CancelFunc
	ctx, cancel = context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	bootstrap = os.Args[2]
	if os.Args[1] == "admins" {
		admins()
		return
	}
	letters, work := os.Args[3]+"-letters", os.Args[3]+"-work"
	if os.Args[1] == "after" {
		after(work)
		return
	}
	milliseconds, err := strconv.ParseInt(os.Args[4], 10, 64)
	must(err)
	admin := kadm.NewClient(client())
	topics(admin, os.Args[3]+"-", letters, work)
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for number, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		produceLetters(letters, name, codecs[number], milliseconds+int64(number)*5000)
	}
	positions(admin, letters, milliseconds)
	end := int64(len(codecs) * 5)
	read("from the beginning", letters, 0, end, milliseconds)
	read("from offset 7", letters, 7, end, milliseconds)
	groupOfTwo(admin, work)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	must(err)
	return client
}

func topics(admin *kadm.Client, prefix, letters, work string) {
	_, err := admin.CreateTopic(ctx, 3, 1, nil, letters)
	must(err)
	_, err = admin.CreateTopic(ctx, 4, 1, nil, work)
	must(err)
	fmt.Println("create: done")
	_, err = admin.CreateTopic(ctx, 3, 1, nil, letters)
	var refused *kerr.Error
	if errors.As(err, &refused) {
		fmt.Println("create again:", refused.Code)
	}
	all, err := admin.ListTopics(ctx)
	must(err)
	for !all.Has(work) { // a broker may hear of a topic a moment after it was created
		all, err = admin.ListTopics(ctx)
		must(err)
	}
	fmt.Print("list:")
	for _, topic := range all.Sorted() {
		if name, mine := strings.CutPrefix(topic.Topic, prefix); mine {
			fmt.Printf(" %s=%d", name, len(topic.Partitions))
		}
	}
	fmt.Print("\ndescribe:")
	for _, it := range all[letters].Partitions.Sorted() {
		fmt.Printf(" %d=%d/%s/%s", it.Partition, it.Leader, ids(it.Replicas), ids(it.ISR))
	}
	fmt.Println()
}

func ids(all []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(all), " ", ","), "[]")
}

func produceLetters(topic, name string, codec kgo.CompressionCodec, milliseconds int64) {
	producer := client(kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	var records []*kgo.Record
	for number := range 5 {
		record := &kgo.Record{
			Topic:     topic,
			Key:       fmt.Appendf(nil, "k%d", number),
			Value:     fmt.Appendf(nil, "%s-%d%s", name, number, padding),
			Headers:   []kgo.RecordHeader{{Key: "codec", Value: []byte(name)}},
			Timestamp: time.UnixMilli(milliseconds + int64(number)*1000),
		}
		switch number {
		case 2:
			record.Key = nil
		case 3:
			record.Value = []byte{}
		case 4:
			record.Value = nil
		}
		records = append(records, record)
	}
	fmt.Printf("produce %s:", name)
	for _, produced := range producer.ProduceSync(ctx, records...) {
		must(produced.Err)
		fmt.Print(" ", produced.Record.Offset)
	}
	fmt.Println()
}

func positions(admin *kadm.Client, topic string, milliseconds int64) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	must(err)
	ends, err := admin.ListEndOffsets(ctx, topic)
	must(err)
	fmt.Print("ends:")
	for partition := range int32(3) {
		fmt.Printf(" %d-%d", starts[topic][partition].Offset, ends[topic][partition].Offset)
	}
	fmt.Println()
	// kadm answers with the end of a partition that has nothing so late, and without a time.
	at := func(milliseconds int64, partition int32) string {
		found, err := admin.ListOffsetsAfterMilli(ctx, milliseconds, topic)
		must(err)
		if it := found[topic][partition]; it.Timestamp >= 0 {
			return strconv.FormatInt(it.Offset, 10)
		}
		return "none"
	}
	fmt.Println("at the time of 7:", at(milliseconds+7000, 0))
	fmt.Println("a moment after 7:", at(milliseconds+7001, 0))
	fmt.Println("after the last:", at(milliseconds+3_500_000, 0))
	fmt.Println("at any time of none:", at(0, 1))
}

func read(what, topic string, from, end, milliseconds int64) {
	offsets := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}}
	consumer := client(kgo.ConsumePartitions(offsets))
	defer consumer.Close()
	fmt.Print(what, ":")
	for next := from; next < end; {
		fetches := consumer.PollFetches(ctx)
		must(fetches.Err())
		fetches.EachRecord(func(it *kgo.Record) {
			fmt.Printf(" %d=%s/%s/%s/%d", it.Offset, text(it.Key), text(it.Value), it.Headers[0].Value, it.Timestamp.UnixMilli()-milliseconds)
			next = it.Offset + 1
		})
	}
	fmt.Println()
}

func text(data []byte) string {
	if data == nil {
		return "~"
	}
	return strings.TrimSuffix(string(data), padding)
}

// A member of the group and what it owns.
type member struct {
	*kgo.Client
	lock  sync.Mutex
	owned map[int32]bool
}

func join(topic string) *member {
	it := &member{owned: map[int32]bool{}}
	change := func(has bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			it.lock.Lock()
			defer it.lock.Unlock()
			for _, partition := range changed[topic] {
				if has {
					it.owned[partition] = true
				} else {
					delete(it.owned, partition)
				}
			}
		}
	}
	it.Client = client(
		kgo.ConsumerGroup(topic+"-group"), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
	)
	return it
}

func (it *member) owns() int {
	it.lock.Lock()
	defer it.lock.Unlock()
	return len(it.owned)
}

// The offsets that came, by partition: `0=0-9` when these are ten, each once, in order.
func readWork(members []*member, count int) {
	offsets := map[int32][]int64{}
	for count > 0 {
		for _, it := range members {
			poll, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			it.PollFetches(poll).EachRecord(func(record *kgo.Record) {
				offsets[record.Partition] = append(offsets[record.Partition], record.Offset)
				count--
			})
			cancel()
		}
		must(ctx.Err())
	}
	fmt.Print("group read:")
	for partition := range int32(4) {
		found := offsets[partition]
		if len(found) == 10 && found[9] == found[0]+9 && slices.IsSorted(found) {
			fmt.Printf(" %d=%d-%d", partition, found[0], found[9])
		} else {
			fmt.Printf(" %d=%v", partition, found)
		}
	}
	fmt.Println()
}

func produceWork(topic string) {
	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	for number := range 40 {
		record := &kgo.Record{Topic: topic, Partition: int32(number % 4), Value: fmt.Appendf(nil, "work-%d", number)}
		must(producer.ProduceSync(ctx, record).FirstErr())
	}
}

func committed(admin *kadm.Client, topic string) {
	found, err := admin.FetchOffsets(ctx, topic+"-group")
	must(err)
	fmt.Print("committed:")
	for _, it := range found.Sorted() {
		fmt.Printf(" %d=%d/%s", it.Partition, it.At, it.Metadata)
	}
	fmt.Println()
}

func groupOfTwo(admin *kadm.Client, topic string) {
	members := []*member{join(topic), join(topic)}
	for members[0].owns() != 2 || members[1].owns() != 2 {
		for _, it := range members {
			poll, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			it.PollFetches(poll)
			cancel()
		}
		must(ctx.Err())
	}
	fmt.Println("members: 2 2")
	produceWork(topic)
	readWork(members, 40)
	for _, it := range members {
		it.commit(topic)
	}
	committed(admin, topic)
	for _, it := range members {
		it.Close()
	}
}

// As this member of the group, in its generation, with a word for each partition.
func (it *member) commit(topic string) {
	ends := map[int32]kgo.EpochOffset{}
	for partition := range it.owned {
		ends[partition] = kgo.EpochOffset{Epoch: -1, Offset: 10}
	}
	noting := kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for _, topic := range request.Topics {
			for at := range topic.Partitions {
				topic.Partitions[at].Metadata = kmsg.StringPtr("noted")
			}
		}
		return nil
	})
	it.CommitOffsetsSync(noting, map[string]map[int32]kgo.EpochOffset{topic: ends}, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
		must(err)
	})
}

func after(topic string) {
	produceWork(topic)
	committed(kadm.NewClient(client()), topic)
	reader := join(topic)
	readWork([]*member{reader}, 40)
	reader.Close()
}
