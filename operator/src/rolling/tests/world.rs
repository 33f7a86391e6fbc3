//! A made-up cluster that does what it is told: in it every plan has to end, and on the way no
//! second pod goes down and no primary goes that could have handed over.

use proptest::prelude::*;
use serde_json::json;

use crate::build::names::Role;
use crate::patroni::View;
use crate::rolling::{Idle, Life, Pod, Situation, Step, Waiting, next};

/// What may be true of a pod when we come.
fn any_pod() -> impl Strategy<Value = Pod> {
    let life = prop_oneof![4 => Just(Life::Runs), 1 => Just(Life::Partly), 1 => Just(Life::Dead)];
    let role = prop_oneof![Just(None), Just(Some(Role::Master)), Just(Some(Role::Replica))];
    let flags = (prop::bool::weighted(0.7), any::<bool>(), prop::bool::weighted(0.1));
    let leaves = prop::bool::weighted(0.2);
    (life, role, flags, leaves).prop_map(|(life, role, (ready, marked, deleting), leaves_node)| {
        let ready = ready && life == Life::Runs && !deleting;
        let (name, ordinal, goes) = (String::new(), 0, false);
        let (stranded, critical) = (None, false);
        Pod {
            name,
            ordinal,
            role,
            ready,
            life,
            marked,
            deleting,
            goes,
            leaves_node,
            stranded,
            critical,
        }
    })
}

fn any_world() -> impl Strategy<Value = World> {
    let pods = prop::collection::vec(any_pod(), 1..5);
    let states = prop::collection::vec(0..4_usize, 5);
    (pods, 0..6_usize, states, any::<bool>(), 0..2_usize, any::<bool>()).prop_map(
        |(mut pods, leader, states, is_synchronous, missing, fewer)| {
            for (ordinal, pod) in (0..).zip(pods.iter_mut()) {
                (pod.name, pod.ordinal) = (format!("db-{ordinal}"), ordinal);
            }
            let count = pods.len();
            if fewer && count > 1 {
                pods[count - 1].goes = true;
            }
            let staying = pods.iter().filter(|pod| !pod.goes).count();
            let words = ["streaming", "running", "starting", "stopped"];
            let states = states.into_iter().map(|state| words[state].to_owned()).collect();
            let leader = pods.get(leader).map(|pod| pod.name.clone());
            // Whoever wants fewer pods has more than that.
            let missing = if staying < count { 0 } else { missing };
            let wanted = staying + missing;
            World { wanted, pods, leader, states, is_synchronous, is_lower: false }
        },
    )
}

#[derive(Clone, Debug)]
struct World {
    wanted: usize,
    pods: Vec<Pod>,
    leader: Option<String>,
    /// By ordinal.
    states: Vec<String>,
    is_synchronous: bool,
    /// The StatefulSet is to have fewer pods, as their primary stays and is ready.
    is_lower: bool,
}

impl World {
    fn view(&self) -> View {
        let mut has_standby = false;
        let members = self.pods.iter().map(|pod| {
            let state = self.states.get(self.place(pod)).map_or("streaming", String::as_str);
            let leads = Some(&pod.name) == self.leader.as_ref();
            let is_standby = self.is_synchronous && !leads && !has_standby && state == "streaming";
            has_standby |= is_standby;
            let role = match (leads, is_standby) {
                (true, _) => "leader",
                (false, true) => "sync_standby",
                (false, false) => "replica",
            };
            json!({ "name": pod.name, "role": role, "state": state, "lag": 0 })
        });
        let members: Vec<_> = members.collect();
        let members = serde_json::from_value(json!({ "members": members })).expect("members");
        View { members, is_synchronous: self.is_synchronous, tells_streaming: true }
    }

    fn place(&self, pod: &Pod) -> usize {
        usize::try_from(pod.ordinal).expect("small")
    }

    fn situation(&self, has_view: bool) -> Situation {
        Situation {
            paused: false,
            rolls: true,
            wanted: self.wanted,
            held: !self.is_lower,
            pauses: Some(false),
            pods: self.pods.clone(),
            leader: self.leader.clone(),
            view: has_view.then(|| Ok(self.view())),
            switches: false,
            restarts: None,
            opens: None,
            overdue: false,
            drained: false,
        }
    }

    /// What is held to be true of each step, whatever the situation.
    fn judge(&self, step: &Step) {
        let Step::Delete { pod: name, .. } = step else { return };
        let pod = self.pods.iter().find(|pod| &pod.name == name).expect("it is there");
        assert!(!pod.deleting && !pod.goes, "{step:?}");
        assert!(pod.marked || pod.leaves_node, "nobody asked for it: {step:?}");
        let staying: Vec<&Pod> = self.pods.iter().filter(|own| !own.goes).collect();
        let others_are_well = staying
            .iter()
            .filter(|own| own.name != *name)
            .all(|own| own.ready || own.leaves_node && own.marked);
        let is_complete = staying.len() >= self.wanted;
        assert!(!pod.ready || others_are_well && is_complete, "a second pod goes down: {step:?}");
        let leads = |own: &Pod| Some(&own.name) == self.leader.as_ref();
        let others = || staying.iter().filter(|own| own.name != *name && !leads(own));
        if pod.life != Life::Dead && !leads(pod) {
            assert!(others().all(|own| !own.deleting), "two of which may stream: {step:?}");
            let is_led = self.pods.iter().any(|own| leads(own) && own.ready);
            let are_back = others().all(|own| own.ready || own.marked);
            assert!(!is_led || are_back, "two of which may stream: {step:?}");
        }
        let is_cut_off = |own: &&Pod| own.goes && own.life != Life::Dead && self.is_lower;
        if leads(pod) && pod.life != Life::Dead {
            assert_eq!(self.pods.iter().find(is_cut_off), None, "it would take over: {step:?}");
        }
        if Some(name) == self.leader.as_ref() && pod.life != Life::Dead {
            let view = self.view();
            let rank = |other: &str| {
                staying
                    .iter()
                    .any(|own| own.name == other && own.ready && other != name)
                    .then_some(0)
            };
            assert!(view.candidates(rank).is_empty(), "another could lead: {step:?}");
        }
    }

    fn obey(&mut self, step: &Step) {
        match step {
            Step::Delete { pod, .. } => {
                let pod = self.pods.iter_mut().find(|own| own.name == *pod).expect("it is there");
                (pod.deleting, pod.ready) = (true, false);
            }
            Step::SwitchOver { candidates, .. } => self.leader = candidates.first().cloned(),
            Step::Nothing(_) | Step::Wait(_) | Step::Ask | Step::Withdraw { .. } => {}
        }
    }

    /// One thing happens that happens by itself where all are well; whether anything did.
    fn live(&mut self) -> bool {
        let leader = self.leader.clone();
        let leads = |pod: &&Pod| Some(&pod.name) == leader.as_ref();
        self.is_lower |= self.pods.iter().find(leads).is_some_and(|pod| !pod.goes && pod.ready);
        let is_cut = |pod: &&mut Pod| pod.goes && !pod.deleting;
        if self.is_lower
            && let Some(pod) = self.pods.iter_mut().find(is_cut)
        {
            (pod.deleting, pod.ready) = (true, false);
            return true;
        }
        let gone = |leader: &Option<String>, pods: &[Pod]| {
            let own = pods.iter().find(|pod| Some(&pod.name) == leader.as_ref());
            own.is_none_or(|pod| pod.deleting || pod.life == Life::Dead)
        };
        if let Some(place) = self.pods.iter().position(|pod| pod.deleting) {
            let old = self.pods.remove(place);
            if Some(&old.name) == self.leader.as_ref() {
                self.leader = None;
            }
            return true;
        }
        // What is not marked gets well by itself; what is does not before it is made anew.
        let is_ill = |pod: &&mut Pod| pod.life != Life::Runs && !pod.marked;
        if let Some(pod) = self.pods.iter_mut().find(is_ill) {
            pod.life = Life::Runs;
            return true;
        }
        let starts = |pod: &&mut Pod| pod.life == Life::Runs && !pod.ready;
        if let Some(pod) = self.pods.iter_mut().find(starts) {
            (pod.ready, pod.role) = (true, pod.role.or(Some(Role::Replica)));
            return true;
        }
        if gone(&leader, &self.pods) {
            let heir = self.pods.iter().find(|pod| pod.ready && !pod.goes);
            let heir = heir.map(|pod| pod.name.clone());
            if heir.is_some() && heir != leader {
                self.leader = heir;
                return true;
            }
        }
        let wanted = i32::try_from(self.wanted).expect("small");
        let lacks = |ordinal: &i32| !self.pods.iter().any(|pod| pod.ordinal == *ordinal);
        // One behind the other.
        let are_before =
            |ordinal: &i32| self.pods.iter().all(|pod| pod.ordinal > *ordinal || pod.ready);
        if let Some(ordinal) = (0..wanted).find(lacks).filter(are_before) {
            self.make(ordinal);
            return true;
        }
        let leader = self.leader.clone();
        for pod in &mut self.pods {
            let role =
                Some(if Some(&pod.name) == leader.as_ref() { Role::Master } else { Role::Replica });
            if pod.ready && pod.role != role {
                pod.role = role;
                return true;
            }
        }
        if let Some(state) = self.states.iter_mut().find(|state| *state != "streaming") {
            "streaming".clone_into(state);
            return true;
        }
        false
    }

    fn make(&mut self, ordinal: i32) {
        let pod = Pod { role: None, ready: false, ..super::pod(ordinal) };
        self.pods.push(pod);
        self.pods.sort_by_key(|pod| pod.ordinal);
        if let Some(state) = usize::try_from(ordinal).ok().and_then(|own| self.states.get_mut(own))
        {
            "starting".clone_into(state);
        }
    }
}

proptest! {
    #[test]
    fn no_step_takes_a_second_pod_down_or_a_primary_that_could_hand_over(world in any_world(), has_view: bool) {
        world.judge(&next(&world.situation(has_view)));
    }

    #[test]
    fn where_all_are_well_behaved_every_plan_ends_with_no_marks(world in any_world(), order in prop::collection::vec(any::<bool>(), 200)) {
        let mut world = world;
        let mut order = order.into_iter();
        for _ in 0..400 {
            let step = next(&world.situation(true));
            world.judge(&step);
            if step == Step::Nothing(Idle::UpToDate) {
                break;
            }
            // Life and we take turns as they come, and in the end both do.
            let lives = order.next().unwrap_or(true);
            let happened = lives && world.live();
            if !happened {
                world.obey(&step);
                prop_assert!(
                    !lives || !matches!(step, Step::Wait(_)),
                    "it waits for nothing: {step:?} {world:?}"
                );
            }
        }
        let left: Vec<_> = world.pods.iter().filter(|pod| pod.marked && !pod.goes).collect();
        prop_assert!(left.is_empty(), "{left:?}");
        let is_over = matches!(
            next(&world.situation(true)),
            Step::Nothing(Idle::UpToDate) | Step::Wait(Waiting::Missing { .. } | Waiting::NotReady(_))
        );
        prop_assert!(is_over);
    }
}
