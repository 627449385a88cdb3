// sarama, told to speak as to Kafka 2.8: its default, whatever ApiVersions says.
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

	"github.com/IBM/sarama"
)

var (
	bootstrap []string
	padding   = strings.Repeat(".", 200) // makes a batch worth compressing
)

func main() {
	bootstrap = os.Args[2:3]
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
		produceLetters(letters, name, sarama.CompressionCodec(number), start+int64(number)*5000)
	}
	positions(letters, start)
	end := int64(len(codecs) * 5)
	read("from the beginning", letters, sarama.OffsetOldest, end, start)
	read("from offset 7", letters, 7, end, start)
	groupOfTwo(work)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	return config
}

func topics(prefix, letters, work string) {
	admin, err := sarama.NewClusterAdmin(bootstrap, config())
	must(err)
	defer admin.Close()
	must(admin.CreateTopic(letters, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false))
	must(admin.CreateTopic(work, &sarama.TopicDetail{NumPartitions: 4, ReplicationFactor: 1}, false))
	fmt.Println("create: done")
	var refused *sarama.TopicError
	if errors.As(admin.CreateTopic(letters, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false), &refused) {
		fmt.Println("create again:", int16(refused.Err))
	}
	client, err := sarama.NewClient(bootstrap, config())
	must(err)
	defer client.Close()
	all, err := client.Topics()
	must(err)
	for !slices.Contains(all, work) { // a broker may hear of a topic a moment after it was created
		must(client.RefreshMetadata())
		all, err = client.Topics()
		must(err)
	}
	slices.Sort(all)
	fmt.Print("list:")
	for _, topic := range all {
		if name, mine := strings.CutPrefix(topic, prefix); mine {
			partitions, err := client.Partitions(topic)
			must(err)
			fmt.Printf(" %s=%d", name, len(partitions))
		}
	}
	described, err := admin.DescribeTopics([]string{letters})
	must(err)
	partitions := described[0].Partitions
	slices.SortFunc(partitions, func(one, other *sarama.PartitionMetadata) int { return int(one.ID - other.ID) })
	fmt.Print("\ndescribe:")
	for _, it := range partitions {
		fmt.Printf(" %d=%d/%s/%s", it.ID, it.Leader, ids(it.Replicas), ids(it.Isr))
	}
	fmt.Println()
}

func ids(all []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(all), " ", ","), "[]")
}

func produceLetters(topic, name string, codec sarama.CompressionCodec, milliseconds int64) {
	config := config()
	config.Producer.Compression = codec
	producer, err := sarama.NewSyncProducer(bootstrap, config)
	must(err)
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for number := range 5 {
		message := &sarama.ProducerMessage{
			Topic:     topic,
			Key:       sarama.StringEncoder(fmt.Sprintf("k%d", number)),
			Value:     sarama.StringEncoder(fmt.Sprintf("%s-%d%s", name, number, padding)),
			Headers:   []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(name)}},
			Timestamp: time.UnixMilli(milliseconds + int64(number)*1000),
		}
		switch number {
		case 2:
			message.Key = nil
		case 3:
			message.Value = sarama.StringEncoder("")
		case 4:
			message.Value = nil
		}
		messages = append(messages, message)
	}
	must(producer.SendMessages(messages))
	fmt.Printf("produce %s:", name)
	for _, message := range messages {
		fmt.Print(" ", message.Offset)
	}
	fmt.Println()
}

func positions(topic string, milliseconds int64) {
	client, err := sarama.NewClient(bootstrap, config())
	must(err)
	defer client.Close()
	at := func(partition int32, time int64) int64 {
		offset, err := client.GetOffset(topic, partition, time)
		must(err)
		return offset
	}
	fmt.Print("ends:")
	for partition := range int32(3) {
		fmt.Printf(" %d-%d", at(partition, sarama.OffsetOldest), at(partition, sarama.OffsetNewest))
	}
	fmt.Println()
	orNone := func(offset int64) any {
		if offset < 0 {
			return "none"
		}
		return offset
	}
	fmt.Println("at the time of 7:", orNone(at(0, milliseconds+7000)))
	fmt.Println("a moment after 7:", orNone(at(0, milliseconds+7001)))
	fmt.Println("after the last:", orNone(at(0, milliseconds+3_500_000)))
	fmt.Println("at any time of none:", orNone(at(1, 0)))
}

func read(what, topic string, from, end, milliseconds int64) {
	consumer, err := sarama.NewConsumer(bootstrap, config())
	must(err)
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, from)
	must(err)
	defer partition.Close()
	fmt.Print(what, ":")
	for it := range partition.Messages() {
		fmt.Printf(" %d=%s/%s/%s/%d", it.Offset, text(it.Key), text(it.Value), it.Headers[0].Value, it.Timestamp.UnixMilli()-milliseconds)
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

// What all members of a group own and have read.
type group struct {
	lock    sync.Mutex
	owned   map[string]int
	offsets map[int32][]int64
	read    int
	changed chan struct{}
}

// Waits until `holds` of the group.
func (it *group) until(holds func() bool) {
	for {
		it.lock.Lock()
		done := holds()
		it.lock.Unlock()
		if done {
			return
		}
		<-it.changed
	}
}

func (it *group) change(change func()) {
	it.lock.Lock()
	change()
	it.lock.Unlock()
	select {
	case it.changed <- struct{}{}:
	default: // one look is enough for all that changed before it
	}
}

func (it *group) Setup(session sarama.ConsumerGroupSession) error {
	it.change(func() { it.owned[session.MemberID()] = len(session.Claims()[it.topic(session)]) })
	return nil
}

func (it *group) topic(session sarama.ConsumerGroupSession) string {
	for topic := range session.Claims() {
		return topic
	}
	return ""
}

func (it *group) Cleanup(session sarama.ConsumerGroupSession) error {
	it.change(func() { delete(it.owned, session.MemberID()) })
	return nil
}

func (it *group) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	read := 0
	for message := range claim.Messages() {
		read++
		if read == 10 {
			// Its tenth is the last of its partition; what is marked is the next to read.
			session.MarkOffset(message.Topic, message.Partition, message.Offset+1, "noted")
			session.Commit()
		}
		it.change(func() {
			it.offsets[message.Partition] = append(it.offsets[message.Partition], message.Offset)
			it.read++
		})
	}
	return nil
}

func newGroup() *group {
	return &group{owned: map[string]int{}, offsets: map[int32][]int64{}, changed: make(chan struct{}, 1)}
}

// A member that takes part until what it gives is called.
func (it *group) join(topic string) func() {
	member, err := sarama.NewConsumerGroup(bootstrap, topic+"-group", config())
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := member.Consume(ctx, []string{topic}, it); err != nil && ctx.Err() == nil {
				must(err)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		must(member.Close())
	}
}

// The offsets that came, by partition: `0=0-9` when these are ten, each once, in order.
func (it *group) sayRead() {
	fmt.Print("group read:")
	for partition := range int32(4) {
		found := it.offsets[partition]
		if len(found) == 10 && found[9] == found[0]+9 && slices.IsSorted(found) {
			fmt.Printf(" %d=%d-%d", partition, found[0], found[9])
		} else {
			fmt.Printf(" %d=%v", partition, found)
		}
	}
	fmt.Println()
}

func produceWork(topic string) {
	producer, err := sarama.NewSyncProducer(bootstrap, config())
	must(err)
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for number := range 40 {
		value := sarama.StringEncoder(fmt.Sprintf("work-%d", number))
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Partition: int32(number % 4), Value: value})
	}
	must(producer.SendMessages(messages))
}

func committed(topic string) {
	admin, err := sarama.NewClusterAdmin(bootstrap, config())
	must(err)
	defer admin.Close()
	found, err := admin.ListConsumerGroupOffsets(topic+"-group", map[string][]int32{topic: {0, 1, 2, 3}})
	must(err)
	fmt.Print("committed:")
	for partition := range int32(4) {
		it := found.GetBlock(topic, partition)
		fmt.Printf(" %d=%d/%s", partition, it.Offset, it.Metadata)
	}
	fmt.Println()
}

func groupOfTwo(topic string) {
	group := newGroup()
	leave := []func(){group.join(topic), group.join(topic)}
	group.until(func() bool {
		owned := 0
		for _, partitions := range group.owned {
			owned += partitions
		}
		return len(group.owned) == 2 && owned == 4
	})
	fmt.Print("members:")
	for _, owned := range group.owned {
		fmt.Print(" ", owned)
	}
	fmt.Println()
	produceWork(topic)
	group.until(func() bool { return group.read >= 40 })
	group.sayRead()
	committed(topic)
	for _, leave := range leave {
		leave()
	}
}

func after(topic string) {
	produceWork(topic)
	committed(topic)
	group := newGroup()
	leave := group.join(topic)
	group.until(func() bool { return group.read >= 40 })
	group.sayRead()
	leave()
}
