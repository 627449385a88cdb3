// What an admin is told, answer by answer: franz-go reads every field of the latest version of an API.
// `admins.txt` has what Apache Kafka 4.3.1 says.
package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const topic = "admins-go"

// What differs from broker to broker, or from version to version.
var differs = []string{
	"Version", "ThrottleMillis", "UnknownTags", "ClusterID", "TopicID", "Host", "Port", "Dir", "TotalBytes", "UsableBytes",
	"IsCordoned", "Documentation",
}

func admins() {
	client := client()
	tell := func(what string, request kmsg.Request) {
		response, err := client.Request(ctx, request)
		must(err)
		text, err := json.Marshal(response)
		must(err)
		var fields any
		must(json.Unmarshal(text, &fields))
		text, err = json.Marshal(without(fields))
		must(err)
		fmt.Printf("%s: %s\n", what, text)
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = append(create.Topics, kmsg.CreateTopicsRequestTopic{Topic: topic, NumPartitions: 3, ReplicationFactor: 1})
	_, err := client.Request(ctx, create)
	must(err)
	topicID := awaitTopic(client)

	for _, how := range []struct {
		name, key string
		op        kmsg.IncrementalAlterConfigOp
		value     *string
	}{
		{topic, "cleanup.policy", kmsg.IncrementalAlterConfigOpAppend, kmsg.StringPtr("compact")},
		{topic, "retention.ms", kmsg.IncrementalAlterConfigOpAppend, kmsg.StringPtr("1")},
		{topic, "retention.ms", kmsg.IncrementalAlterConfigOpSet, nil},
		{topic, "retention.ms", kmsg.IncrementalAlterConfigOpDelete, nil},
		{"no-such", "retention.ms", kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr("1")},
	} {
		request := kmsg.NewPtrIncrementalAlterConfigsRequest()
		request.ValidateOnly = true
		request.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
			ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: how.name,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: how.key, Op: how.op, Value: how.value}},
		}}
		tell(fmt.Sprint("alter ", how.name, " ", how.key, " ", how.op), request)
	}
	for _, name := range []string{topic, "no-such", ""} {
		request := kmsg.NewPtrAlterConfigsRequest()
		request.ValidateOnly = true
		config := kmsg.AlterConfigsRequestResourceConfig{Name: "retention.ms", Value: kmsg.StringPtr("5")}
		request.Resources = []kmsg.AlterConfigsRequestResource{{
			ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name, Configs: []kmsg.AlterConfigsRequestResourceConfig{config},
		}}
		tell("alter all of "+name, request)
	}
	for _, name := range []string{topic + "-new", topic, "a b"} {
		request := kmsg.NewPtrCreateTopicsRequest()
		request.ValidateOnly = true
		request.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: name, NumPartitions: 2, ReplicationFactor: -1}}
		tell("create "+name, request)
	}
	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.IncludeSynonyms = true
	describe.Resources = []kmsg.DescribeConfigsRequestResource{
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms", "cleanup.policy", "nonsense"}},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"segment.ms"}},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "no-such"},
	}
	tell("configs", describe)

	grow := kmsg.NewPtrCreatePartitionsRequest()
	grow.ValidateOnly = true
	for _, it := range []struct {
		topic string
		count int32
	}{{topic, 4}, {topic + "-2", 4}} {
		grow.Topics = append(grow.Topics, kmsg.CreatePartitionsRequestTopic{Topic: it.topic, Count: it.count})
	}
	tell("grow", grow)

	page := kmsg.NewPtrDescribeTopicPartitionsRequest()
	page.ResponsePartitionLimit = 2
	page.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: topic}, {Topic: "no-such"}, {Topic: "a b"}}
	tell("first page", page)
	page.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: topic, Partition: 2}
	tell("second page", page)
	page.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "elsewhere"}
	tell("cursor elsewhere", page)

	for _, epoch := range []int32{-1, 0, 1} {
		epochs := kmsg.NewPtrOffsetForLeaderEpochRequest()
		asked := kmsg.OffsetForLeaderEpochRequestTopicPartition{Partition: 0, CurrentLeaderEpoch: epoch, LeaderEpoch: 0}
		epochs.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{asked}}}
		tell(fmt.Sprint("end of epoch 0 in epoch ", epoch), epochs)
	}

	elect := kmsg.NewPtrElectLeadersRequest()
	elect.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: []int32{0}}}
	tell("elect", elect)
	move := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	move.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: topic, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{
		{Partition: 0}, {Partition: 1, Replicas: []int32{1}}, {Partition: 2, Replicas: []int32{2}},
	}}}
	tell("move", move)
	tell("moves", kmsg.NewPtrListPartitionReassignmentsRequest())
	sizes := kmsg.NewPtrDescribeLogDirsRequest()
	sizes.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: topic, Partitions: []int32{1}}}
	tell("sizes", sizes)

	cluster := kmsg.NewPtrDescribeClusterRequest()
	cluster.IncludeClusterAuthorizedOperations = true
	tell("cluster", cluster)
	for _, id := range [][16]byte{topicID, {7}} {
		metadata := kmsg.NewPtrMetadataRequest()
		metadata.IncludeTopicAuthorizedOperations = true
		metadata.Topics = []kmsg.MetadataRequestTopic{{TopicID: id}}
		tell("by id", metadata)
	}
}

// A broker may hear of a topic a moment after it was created.
func awaitTopic(client *kgo.Client) [16]byte {
	for {
		metadata := kmsg.NewPtrMetadataRequest()
		metadata.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(topic)}}
		response, err := metadata.RequestWith(ctx, client)
		must(err)
		if it := response.Topics[0]; it.ErrorCode == 0 && len(it.Partitions) == 3 {
			return it.TopicID
		}
	}
}

// Lists of partitions have no order.
func without(value any) any {
	switch it := value.(type) {
	case map[string]any:
		for _, name := range differs {
			delete(it, name)
		}
		for name, inner := range it {
			it[name] = without(inner)
			if configs, ok := inner.([]any); ok && name == "Configs" && len(configs) > 10 {
				it[name] = len(configs)
			}
		}
	case []any:
		for number, inner := range it {
			it[number] = without(inner)
		}
		slices.SortFunc(it, func(one, other any) int { return partition(one) - partition(other) })
	}
	return value
}

func partition(value any) int {
	if fields, ok := value.(map[string]any); ok {
		if number, ok := fields["Partition"].(float64); ok {
			return int(number)
		}
	}
	return 0
}
