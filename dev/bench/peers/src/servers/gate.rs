//! Holds a slow request until it is told to go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

#[derive(Clone)]
pub struct Gate {
    entered: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl Gate {
    pub fn new() -> Self {
        Self { entered: Arc::new(Semaphore::new(0)), released: Arc::new(Semaphore::new(0)) }
    }

    /// For the slow request: says that it is in its handler, and waits.
    pub async fn pass(&self) {
        self.entered.add_permits(1);
        if let Ok(permit) = self.released.acquire().await {
            permit.forget();
        }
    }

    /// Waits until the slow request is in its handler.
    pub async fn entered(&self) {
        if let Ok(permit) = self.entered.acquire().await {
            permit.forget();
        }
    }

    pub fn release(&self) {
        self.released.add_permits(1);
    }
}
