//! What HTTP asks of an adapter, in bytes and text: nothing here knows a web framework.

pub(crate) mod activity;
pub(crate) mod caching;
pub(crate) mod cookie;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod set_cookie;
pub(crate) mod skip;
pub(crate) mod timer;
