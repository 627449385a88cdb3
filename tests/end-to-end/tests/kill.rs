//! Kill -9 at the worst times: nothing that was acknowledged is lost, doubled or out of order.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};
use end_to_end::{Fleet, Process, derived, ledger, scene};

/// About a second of the fleet's fixes.
const A_WHILE: u64 = 500;

#[test]
fn agent_broker_and_app_are_killed_under_load_and_nothing_is_lost_or_doubled() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut agent = scene.agent()?;
        let mut velocity = scene.app("velocity")?;
        let mut fleet =
            scene.devices(&["fleet", "--trucks=50", "--persons=0", "--seed=3", "--speed-up=300"])?;
        fleet.until_acknowledged(2 * A_WHILE)?;
        for _ in 0..2 {
            agent.kill_and_start_again()?;
            fleet.until_acknowledged(A_WHILE)?;
            broker_down(&mut broker, &mut fleet)?;
            fleet.until_acknowledged(A_WHILE)?;
            velocity.kill_and_start_again()?;
            fleet.until_acknowledged(A_WHILE)?;
        }
        broker_stands_still(&broker, &mut fleet)?;
        // Both at once, as in a power cut.
        agent.kill()?;
        broker.kill()?;
        agent.start_again()?;
        fleet.until_acknowledged(A_WHILE)?;
        broker.start_again()?;
        fleet.until_acknowledged(A_WHILE)?;
        let last = fleet.finish()?;

        let bootstrap = scene.bootstrap();
        let stored = ledger::check_exactly_once(&bootstrap, &fleet.acknowledged()?)?;
        ensure!(stored.accepted.len() as u64 == last.acknowledged, "{last:?}");
        let velocities = derived::check_velocities(&bootstrap, "trucks_gps", "trucks_velocity")?;
        ensure!(velocities > 0, "no velocities");
        for process in [&mut velocity, &mut agent, &mut broker] {
            process.stop()?;
        }
        Ok(())
    });
}

/// While the broker is away, the agent goes on acknowledging: what it says is on its own disk.
fn broker_down(broker: &mut Process, fleet: &mut Fleet) -> Result<()> {
    broker.kill()?;
    fleet.until_acknowledged(A_WHILE)?;
    broker.start_again()?;
    Ok(())
}

/// A machine that is paused is not dead: its connections are still there when it wakes.
fn broker_stands_still(broker: &Process, fleet: &mut Fleet) -> Result<()> {
    const PAUSE: Duration = Duration::from_secs(3);
    broker.signal("STOP")?;
    thread::sleep(PAUSE);
    broker.signal("CONT")?;
    fleet.until_acknowledged(A_WHILE)?;
    Ok(())
}
