//! Keys that know the type of their value.

use std::{fmt, marker::PhantomData};

/// The name of a value, and its type: a slip of either does not compile.
///
/// # Examples
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use session_core::{Key, ManagedSession, Result};
///
/// #[derive(Serialize, Deserialize)]
/// struct Cart {
///     items: Vec<String>,
/// }
///
/// const CART: Key<Cart> = Key::new("cart");
///
/// async fn add(session: ManagedSession, item: String) -> Result<String> {
///     let mut cart = session.get(CART)?.unwrap_or(Cart { items: Vec::new() });
///     cart.items.push(item);
///     session.insert(CART, &cart)?;
///     Ok("added".to_owned())
/// }
/// ```
pub struct Key<T> {
    name: &'static str,
    value: PhantomData<fn(T) -> T>,
}

impl<T> Key<T> {
    /// The key called `name`, of a value of type `T`.
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

/// What a value of type `T` can be found by: text, or a [`Key<T>`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of a session value of type `{T}`",
    label = "give text, or a `Key<{T}>`",
    note = "a `Key<A>` finds values of type `A` only; text finds values of any type"
)]
pub trait AsKey<T: ?Sized> {
    /// The key as text.
    fn as_key(&self) -> &str;
}

impl<T> AsKey<T> for Key<T> {
    fn as_key(&self) -> &str {
        self.name
    }
}

impl<T> AsKey<T> for &Key<T> {
    fn as_key(&self) -> &str {
        self.name
    }
}

impl<T: ?Sized> AsKey<T> for &str {
    fn as_key(&self) -> &str {
        self
    }
}

impl<T: ?Sized> AsKey<T> for String {
    fn as_key(&self) -> &str {
        self
    }
}

impl<T: ?Sized> AsKey<T> for &String {
    fn as_key(&self) -> &str {
        self
    }
}

/// What names a value of any type: text, or a [`Key`].
pub trait KeyName {
    /// The key as text.
    fn key_name(&self) -> &str;
}

impl<T> KeyName for Key<T> {
    fn key_name(&self) -> &str {
        self.name
    }
}

impl<T> KeyName for &Key<T> {
    fn key_name(&self) -> &str {
        self.name
    }
}

impl KeyName for &str {
    fn key_name(&self) -> &str {
        self
    }
}

impl KeyName for String {
    fn key_name(&self) -> &str {
        self
    }
}

impl KeyName for &String {
    fn key_name(&self) -> &str {
        self
    }
}
