//! What opening a partition's log brings to light.

use broker_logic::{
    ids::{BrokerId, Offset},
    replica::{Opened, Producers, Replica},
};
use commit_log::{Disk, Log, LogConfig, LogError, Recovered};

use super::{OpenPartition, rules, upkeep::Kept};

pub(super) fn find<D: Disk>(
    disk: D,
    me: BrokerId,
    open: &OpenPartition,
    now_ms: i64,
    tell: impl FnOnce(&Recovered),
) -> Result<(Log<D>, Replica, Kept, Recovered), LogError> {
    let config = LogConfig {
        segment_bytes: open.settings.segment_bytes,
        index_interval_bytes: open.settings.index_interval_bytes,
        ..LogConfig::new(open.topic_id.0.into_bytes())
    };
    let (log, recovered) = Log::open(disk, &open.folder, config)?;
    // A loss is found once: not to be lost with what goes wrong behind it.
    tell(&recovered);
    log.check_led_until(open.leader_epoch.0)?;
    let (producers, snapshot_at) = producers(&log, now_ms)?;
    let opened =
        Opened { log_start: Offset(recovered.log_start), log_end: Offset(recovered.log_end), producers };
    let in_sync = open.in_sync.iter().copied();
    let replica = Replica::leader(me, open.leader_epoch, in_sync, rules(&open.settings), opened);
    let kept = Kept::new(snapshot_at, log.active_segment().base_offset, now_ms);
    Ok((log, replica, kept, recovered))
}

/// As the newest snapshot knows them, and the headers behind it; and where that snapshot ends.
fn producers<D: Disk>(log: &Log<D>, now_ms: i64) -> Result<(Producers, i64), LogError> {
    let snapshot = log.latest_snapshot()?;
    // One that does not make sense is none: the headers know as much, and take longer.
    let known = snapshot.and_then(|(at, state)| Some((Producers::decode(state.into()).ok()?, at)));
    let (mut producers, snapshot_at) = known.unwrap_or((Producers::default(), log.log_start()));
    let from = snapshot_at.max(log.log_start());
    for header in log.reader().headers(from) {
        let header = header?;
        // A batch that begins before the log's start is told of by no snapshot, one before the snapshot is.
        if header.last_offset() < from {
            continue;
        }
        let base_offset = Offset(header.base_offset);
        // Counted from the opening: how long a producer was silent before is not known.
        if header.base_offset < log.rewritten_before() {
            producers.remember_rewritten(&header, base_offset, now_ms);
        } else {
            producers.remember(&header, base_offset, now_ms);
        }
    }
    Ok((producers, snapshot_at))
}
