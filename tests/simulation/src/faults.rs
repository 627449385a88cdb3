//! What goes wrong, and how often.

use std::time::Duration;

use crate::{
    agent, broker,
    scene::Scene,
    world::{Event, World},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    DeviceCut,
    LinkCut,
    AgentCrash,
    BrokerCrash,
    OutboxDiskFails,
    OutboxDiskMends,
    LogDiskFails,
    /// Somebody starts the broker again, whose log takes nothing more.
    BrokerRestart,
}

impl Fault {
    /// Comes after a fault to end it, and is no fault by itself.
    pub fn is_mending(self) -> bool {
        matches!(self, Fault::OutboxDiskMends | Fault::BrokerRestart)
    }

    fn every(self, scene: &Scene) -> Option<Duration> {
        match self {
            Fault::DeviceCut => scene.plan.device_cut,
            Fault::LinkCut => scene.plan.link_cut,
            Fault::AgentCrash => scene.plan.agent_crash,
            Fault::BrokerCrash => scene.plan.broker_crash,
            Fault::OutboxDiskFails => scene.plan.outbox_disk_fails,
            Fault::LogDiskFails => scene.plan.log_disk_fails,
            Fault::OutboxDiskMends | Fault::BrokerRestart => None,
        }
    }
}

pub fn begin(scene: &mut Scene) {
    for fault in [
        Fault::DeviceCut,
        Fault::LinkCut,
        Fault::AgentCrash,
        Fault::BrokerCrash,
        Fault::OutboxDiskFails,
        Fault::LogDiskFails,
    ] {
        again(fault, scene);
    }
}

fn again(fault: Fault, scene: &mut Scene) {
    if let Some(every) = fault.every(scene) {
        let mean_ms = every.as_millis() as u64;
        let wait = scene.chance.ms(mean_ms / 10, mean_ms * 19 / 10);
        scene.after(wait, Event::Fault(fault));
    }
}

pub fn strike(fault: Fault, world: &mut World, scene: &mut Scene) {
    again(fault, scene);
    scene.say(&fault);
    match fault {
        Fault::DeviceCut => {
            let device = scene.chance.below(world.devices.len() as u64) as usize;
            if let Some(wire) = world.devices[device].wire() {
                world.network.cut(scene, wire);
            }
        }
        Fault::LinkCut => {
            let away = scene.chance.ms(0, scene.plan.link_away.as_millis() as u64);
            world.network.keep_link_away(scene.now() + away);
            if let Some(wire) = world.network.link() {
                world.network.cut(scene, wire);
            }
        }
        Fault::AgentCrash => {
            let deaths = [agent::Death::Stopped, agent::Death::Killed, agent::Death::PowerCut];
            let death = *scene.chance.pick(&deaths);
            world.agent.die(death, scene, &mut world.network);
        }
        Fault::BrokerCrash => {
            let deaths = [broker::Death::Stopped, broker::Death::Killed, broker::Death::PowerCut];
            let death = *scene.chance.pick(&deaths);
            world.broker.die(death, scene, &mut world.network);
        }
        Fault::OutboxDiskFails => {
            world.agent.break_disk();
            let wait = scene.chance.ms(100, 20_000);
            scene.after(wait, Event::Fault(Fault::OutboxDiskMends));
        }
        Fault::OutboxDiskMends => world.agent.mend_disk(),
        Fault::LogDiskFails => {
            world.broker.break_disk(scene);
            let wait = scene.chance.ms(1000, 20_000);
            scene.after(wait, Event::Fault(Fault::BrokerRestart));
        }
        Fault::BrokerRestart => world.broker.die(broker::Death::Killed, scene, &mut world.network),
    }
}
