"""What an admin is told, through kafka-python 3, which reads configs, changes them and writes them back. One
fact a line; `admins.txt` has what Apache Kafka 4.3.1 says."""

import sys
import time

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, NewPartitions, NewTopic

TOPIC = "admins-python"
NODE_CONFIGS = ["log.dirs", "node.id", "log.cleaner.min.compaction.lag.ms", "num.partitions", "offset.metadata.max.bytes"]

admin = KafkaAdminClient(bootstrap_servers=sys.argv[1])


def tell(what, answer):
    print(f"{what}:", *answer if isinstance(answer, list) else [answer])


def configs(kind, name, keys=None, which="all", synonyms=False):
    resource = ConfigResource(kind, name, None if keys is None else dict.fromkeys(keys))
    described = admin.describe_configs([resource], config_filter=which, include_synonyms=synonyms)
    return next(iter(described.values()))[name]


def shown(described, *fields):
    return [f"{key}={'/'.join(str(it[field]) for field in fields)}" for key, it in sorted(described.items())]


def alter(kind, name, incremental, **changes):
    resource = ConfigResource(kind, name, {key.replace("_", "."): value for key, value in changes.items()})
    altered = admin.alter_configs([resource], incremental=incremental, raise_on_unknown=False)
    return next(iter(altered.values()))[name]


def own(expected):
    """Of the topic; a broker may hear of a change a moment after it was made."""
    until = time.monotonic() + 10
    while (found := shown(configs("TOPIC", TOPIC, which="modified"), "value")) != expected and time.monotonic() < until:
        pass
    return found


def reset(incremental, keys):
    resource = ConfigResource("TOPIC", TOPIC, dict.fromkeys(keys))
    return admin.reset_configs([resource], incremental=incremental)["topic"][TOPIC]


admin.create_topics([NewTopic(TOPIC, 2, 1, topic_configs={"retention.ms": "7"})])
admin.wait_for_topics([TOPIC])
tell("names", sorted(configs("TOPIC", TOPIC)))
tell("without a name all are meant", len(configs("TOPIC", TOPIC, [])))
tell("two names", shown(configs("TOPIC", TOPIC, ["retention.ms", "segment.ms", "nonsense"]), "value", "config_source", "config_type"))
tell("node", shown({key: it for key, it in configs("BROKER", "1").items() if key in NODE_CONFIGS}, "read_only", "config_type"))
for incremental in [True, False]:
    of_node = [] if incremental else ["min.compaction.lag.ms=5"]  # set at the end of the first turn
    how = "changes" if incremental else "all at once"
    tell(f"{how}, set two", alter("TOPIC", TOPIC, incremental, retention_ms="5", cleanup_policy="compact"))
    tell(f"{how}, set one", alter("TOPIC", TOPIC, incremental, retention_ms="6"))
    tell(f"{how}, own", own(["cleanup.policy=compact", *of_node, "retention.ms=6"]))
    tell(f"{how}, set to nonsense", alter("TOPIC", TOPIC, incremental, retention_ms="x"))
    tell(f"{how}, set nonsense", alter("TOPIC", TOPIC, incremental, nonsense="x"))
    tell(f"{how}, set of no topic", alter("TOPIC", "no-such", incremental, retention_ms="1"))
    tell(f"{how}, reset", reset(incremental, ["retention.ms"]))
    tell(f"{how}, own", own(["cleanup.policy=compact", *of_node]))
    tell(f"{how}, node", alter("BROKER", "1", incremental, log_cleaner_min_compaction_lag_ms="5"))
    tell(f"{how}, node read-only", alter("BROKER", "1", incremental, log_dirs="/x"))
admin.reset_configs([ConfigResource("BROKER", "1", {"log.cleaner.min.compaction.lag.ms": None})])
print("grow:", admin.create_partitions({TOPIC: NewPartitions(3)}).results[0].error_code)
admin.wait_for_topics([TOPIC])
while len((pages := admin.describe_topic_partitions([TOPIC], response_partition_limit=2))["topics"][0]["partitions"]) < 2:
    pass  # a broker may hear of a partition a moment after it was created
tell("page", [it["partition_index"] for it in pages["topics"][0]["partitions"]])
tell("elect", [f"{it.partition_id}={it.error_code}" for it in
    admin.elect_leaders(0, {TOPIC: [0, 9]}, raise_errors=False).replica_election_results[0].partition_result])
tell("moves", admin.list_partition_reassignments())
tell("move", admin.alter_partition_reassignments({TopicPartition(TOPIC, 0): [1]})[TopicPartition(TOPIC, 0)])
tell("cluster", [str(admin.describe_cluster()[it]) for it in ("controller_id", "authorized_operations")])
