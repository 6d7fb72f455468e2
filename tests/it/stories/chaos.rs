//! A bit of everything going wrong by chance, out of a seed that the failure names.

use taurus_sim::{Chaos, Filter, Mode, Operation};

use crate::world::{World, in_all_modes, options};

in_all_modes! {
    whatever_goes_wrong_with_reads_a_change_is_asked_for_once: reads_in_chaos;
}

async fn reads_in_chaos(mode: Mode) {
    for seed in [11, 12] {
        let world = World::start(options(mode)).await;
        let reads = [Operation::List, Operation::Job, Operation::Tasks];
        let chaos = Chaos::seeded(seed).on(&reads);
        world.sim.set_chaos(Some(chaos)).unwrap();
        world.want(3307).await;
        world.until_ready(3307).await;
        world.want_now(3308).await;
        world.until_ready(3308).await;
        assert_eq!(world.asked_for(), [3307, 3308], "seed {seed}");
        let met = world.sim.entries(&Filter::all());
        let met = met.iter().filter(|entry| !entry.chaos.is_empty()).count();
        assert!(met > 0, "seed {seed} met nothing");
        world.sim.set_chaos(None).unwrap();
        world.finish().await;
    }
}
