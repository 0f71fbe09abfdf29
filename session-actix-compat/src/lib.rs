#![doc = include_str!("../README.md")]

mod settings;
mod store;

pub use self::store::ManagerStore;
