// segmentio's kafka-go: Writer and Reader for records, Client for the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

var (
	ctx       = context.Background()
	bootstrap string
	client    kafka.Client
	padding   = strings.Repeat(".", 200) // makes a batch worth compressing
)

func main() {
	var cancel context.CancelFunc
	ctx, cancel = context.WithTimeout(ctx, 35*time.Second)
	defer cancel()
	bootstrap = os.Args[2]
	client.Addr = kafka.TCP(bootstrap)
	letters, work := os.Args[3]+"-letters", os.Args[3]+"-work"
	if os.Args[1] == "after" {
		after(work)
		return
	}
	start, err := strconv.ParseInt(os.Args[4], 10, 64)
	must(err)
	topics(os.Args[3]+"-", letters, work)
	codecs := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for number, name := range codecs {
		produceLetters(letters, name, kafka.Compression(number), start+int64(number)*5000)
	}
	positions(letters, start)
	end := int64(len(codecs) * 5)
	read("from the beginning", letters, kafka.FirstOffset, end, start)
	read("from offset 7", letters, 7, end, start)
	groupOfTwo(work)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func create(topics ...kafka.TopicConfig) map[string]error {
	created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	must(err)
	return created.Errors
}

func topics(prefix, letters, work string) {
	again := kafka.TopicConfig{Topic: letters, NumPartitions: 3, ReplicationFactor: 1}
	for _, err := range create(again, kafka.TopicConfig{Topic: work, NumPartitions: 4, ReplicationFactor: 1}) {
		must(err)
	}
	fmt.Println("create: done")
	var refused kafka.Error
	if errors.As(create(again)[letters], &refused) {
		fmt.Println("create again:", int(refused))
	}
	mine := map[string][]kafka.Partition{}
	for len(mine) < 2 { // a broker may hear of a topic a moment after it was created
		all, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		must(err)
		for _, topic := range all.Topics {
			if strings.HasPrefix(topic.Name, prefix) {
				mine[topic.Name] = topic.Partitions
			}
		}
	}
	fmt.Printf("list: letters=%d work=%d\n", len(mine[letters]), len(mine[work]))
	partitions := mine[letters]
	slices.SortFunc(partitions, func(one, other kafka.Partition) int { return one.ID - other.ID })
	fmt.Print("describe:")
	for _, it := range partitions {
		fmt.Printf(" %d=%d/%s/%s", it.ID, it.Leader.ID, ids(it.Replicas), ids(it.Isr))
	}
	fmt.Println()
}

func ids(brokers []kafka.Broker) string {
	var ids []string
	for _, broker := range brokers {
		ids = append(ids, strconv.Itoa(broker.ID))
	}
	return strings.Join(ids, ",")
}

func produceLetters(topic, name string, codec kafka.Compression, milliseconds int64) {
	fmt.Printf("produce %s:", name)
	producer := kafka.Writer{
		Addr: client.Addr, Topic: topic, Compression: codec, RequiredAcks: kafka.RequireAll, BatchSize: 5,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return 0 }),
		Completion: func(messages []kafka.Message, err error) {
			must(err)
			for _, message := range messages {
				fmt.Print(" ", message.Offset)
			}
		},
	}
	var messages []kafka.Message
	for number := range 5 {
		message := kafka.Message{
			Key:     fmt.Appendf(nil, "k%d", number),
			Value:   fmt.Appendf(nil, "%s-%d%s", name, number, padding),
			Headers: []kafka.Header{{Key: "codec", Value: []byte(name)}},
			Time:    time.UnixMilli(milliseconds + int64(number)*1000),
		}
		switch number {
		case 2:
			message.Key = nil
		case 3:
			message.Value = []byte{}
		case 4:
			message.Value = nil
		}
		messages = append(messages, message)
	}
	must(producer.WriteMessages(ctx, messages...))
	must(producer.Close())
	fmt.Println()
}

// Asks again while nobody leads the partition: a broker may do so a moment after it was created.
func led(ask func() error) {
	err := ask()
	for errors.Is(err, kafka.NotLeaderForPartition) && ctx.Err() == nil {
		err = ask()
	}
	must(err)
}

func offsets(topic string, asked kafka.OffsetRequest) (answer kafka.PartitionOffsets) {
	led(func() error {
		found, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {asked}}})
		must(err)
		answer = found.Topics[topic][0]
		return answer.Error
	})
	return answer
}

func positions(topic string, milliseconds int64) {
	fmt.Print("ends:")
	for partition := range 3 {
		first := offsets(topic, kafka.FirstOffsetOf(partition)).FirstOffset
		fmt.Printf(" %d-%d", first, offsets(topic, kafka.LastOffsetOf(partition)).LastOffset)
	}
	fmt.Println()
	at := func(milliseconds int64, partition int) any {
		for offset := range offsets(topic, kafka.TimeOffsetOf(partition, time.UnixMilli(milliseconds))).Offsets {
			if offset >= 0 {
				return offset
			}
		}
		return "none"
	}
	fmt.Println("at the time of 7:", at(milliseconds+7000, 0))
	fmt.Println("a moment after 7:", at(milliseconds+7001, 0))
	fmt.Println("after the last:", at(milliseconds+3_500_000, 0))
	fmt.Println("at any time of none:", at(0, 1))
}

func reader(topic string, partition int, offset int64) *kafka.Reader {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: topic, Partition: partition, MaxWait: 500 * time.Millisecond,
	})
	must(reader.SetOffset(offset))
	return reader
}

func read(what, topic string, from, end, milliseconds int64) {
	reader := reader(topic, 0, from)
	defer reader.Close()
	fmt.Print(what, ":")
	for {
		it, err := reader.ReadMessage(ctx)
		must(err)
		fmt.Printf(" %d=%s/%s/%s/%d", it.Offset, text(it.Key), text(it.Value), it.Headers[0].Value, it.Time.UnixMilli()-milliseconds)
		if it.Offset == end-1 {
			break
		}
	}
	fmt.Println()
}

func text(data []byte) string {
	if data == nil {
		return "~"
	}
	return strings.TrimSuffix(string(data), padding)
}

// What a member tells: that a generation began, or a record of it.
type event struct {
	member     int
	generation *kafka.Generation
	record     kafka.Message
}

// Takes part in the group until it is closed.
func join(topic string, member int, events chan<- event) *kafka.ConsumerGroup {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: topic + "-group", Brokers: []string{bootstrap}, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: time.Second,
	})
	must(err)
	go func() {
		for {
			generation, err := group.Next(ctx)
			if errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			must(err)
			events <- event{member: member, generation: generation}
			for _, owned := range generation.Assignments[topic] {
				generation.Start(func(ctx context.Context) {
					reader := reader(topic, owned.ID, owned.Offset)
					defer reader.Close()
					for {
						record, err := reader.ReadMessage(ctx)
						if err != nil {
							return // the generation is over
						}
						events <- event{record: record}
					}
				})
			}
		}
	}()
	return group
}

func next(events <-chan event) event {
	select {
	case it := <-events:
		return it
	case <-ctx.Done():
		must(ctx.Err())
		return event{}
	}
}

// The offsets that came, by partition: `0=0-9` when these are ten, each once, in order.
func readWork(events <-chan event) {
	offsets := map[int][]int64{}
	for count := 0; count < 40; {
		if it := next(events); it.generation == nil {
			offsets[it.record.Partition] = append(offsets[it.record.Partition], it.record.Offset)
			count++
		}
	}
	fmt.Print("group read:")
	for partition := range 4 {
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
	for partition := range 4 {
		led(func() error {
			var records []kafka.Record
			for number := range 10 {
				records = append(records, kafka.Record{Value: kafka.NewBytes(fmt.Appendf(nil, "work-%d", number))})
			}
			produced, err := client.Produce(ctx, &kafka.ProduceRequest{
				Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
			})
			must(err)
			return produced.Error
		})
	}
}

func committed(topic string) {
	found, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: topic + "-group", Topics: map[string][]int{topic: {0, 1, 2, 3}},
	})
	must(err)
	must(found.Error)
	fmt.Print("committed:")
	for _, it := range found.Topics[topic] {
		fmt.Printf(" %d=%d/%s", it.Partition, it.CommittedOffset, it.Metadata)
	}
	fmt.Println()
}

func groupOfTwo(topic string) {
	events := make(chan event, 100)
	groups := []*kafka.ConsumerGroup{join(topic, 0, events), join(topic, 1, events)}
	var current [2]*kafka.Generation
	share := func(member int) int {
		if current[member] == nil {
			return 0
		}
		return len(current[member].Assignments[topic])
	}
	for share(0) != 2 || share(1) != 2 || current[0].ID != current[1].ID {
		if it := next(events); it.generation != nil {
			current[it.member] = it.generation
		}
	}
	fmt.Println("members: 2 2")
	produceWork(topic)
	readWork(events)
	for _, generation := range current {
		commit(topic, generation)
	}
	committed(topic)
	for _, group := range groups {
		must(group.Close())
	}
}

// As the member of this generation, with a word for each partition.
func commit(topic string, generation *kafka.Generation) {
	var ends []kafka.OffsetCommit
	for _, owned := range generation.Assignments[topic] {
		ends = append(ends, kafka.OffsetCommit{Partition: owned.ID, Offset: 10, Metadata: "noted"})
	}
	done, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: generation.GroupID, GenerationID: int(generation.ID), MemberID: generation.MemberID,
		Topics: map[string][]kafka.OffsetCommit{topic: ends},
	})
	must(err)
	for _, it := range done.Topics[topic] {
		must(it.Error)
	}
}

func after(topic string) {
	produceWork(topic)
	committed(topic)
	events := make(chan event, 100)
	group := join(topic, 0, events)
	readWork(events)
	must(group.Close())
}
