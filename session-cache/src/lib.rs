//! A bounded, coherent, write-through cache over any session manager.
