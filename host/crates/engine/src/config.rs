//! How the two engines are configured, with the reason for each value.

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::EngineSettings;

/// Which engine a component runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Flavor {
    /// Synchronous contracts only. Without the bookkeeping of concurrent tasks
    /// a call costs a third.
    Sync,
    /// Contracts with `async func`, `wasi:http` 0.3, streams or futures.
    Async,
}

impl Flavor {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

/// Core instances that a component of another toolchain may need at the most
/// (CPython takes 14).
const CORE_INSTANCES: u32 = 20;
/// Core instances that a typical component takes (Rust: 3), with some room.
const CORE_INSTANCES_TYPICAL: u32 = 4;
/// Tables likewise: a Rust guest takes two.
const TABLES_TYPICAL: u32 = 3;
/// Bytes of a slot that are cleared by writing rather than given back to the
/// kernel: what a small guest touches, so that reuse costs no page fault.
const KEEP_RESIDENT: usize = 64 << 10;

pub(super) fn config(flavor: Flavor, settings: &EngineSettings) -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    match flavor {
        Flavor::Sync => {
            config.concurrency_support(false);
        }
        Flavor::Async => {
            config.concurrency_support(true);
            config.wasm_component_model_async(true);
            config.wasm_component_model_more_async_builtins(true);
        }
    }
    // The only way to stop a guest that never calls the host.
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    // A trap names the guest's functions; reading DWARF on demand costs nothing before.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(settings)));
    config
}

fn pooling(settings: &EngineSettings) -> PoolingAllocationConfig {
    let mut pooling = PoolingAllocationConfig::default();
    let instances = settings.instances;
    pooling
        .total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_TYPICAL))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(TABLES_TYPICAL))
        .total_stacks(instances.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memory_size(usize::try_from(settings.max_memory).unwrap_or(usize::MAX))
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        // Interpreters compiled to Wasm have tables of this size.
        .table_elements(100_000)
        .max_unused_warm_slots(128)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(16 << 10);
    pooling
}
