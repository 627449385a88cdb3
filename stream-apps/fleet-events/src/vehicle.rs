//! Names of vehicles and drivers. They become Kafka keys, MQTT topic levels and parts of alert
//! ids, so the alphabet is narrow: no slash, no space, no `|`, no wildcard.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub const ID_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {ID_BYTES_MAX} characters")]
    TooLong,
    #[error("must begin with a letter or a digit and hold only letters, digits and . _ : -")]
    Alphabet,
}

/// `^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`
fn validate(text: &str) -> Result<(), IdError> {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return Err(IdError::Empty) };
    if bytes.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
    if first.is_ascii_alphanumeric() && bytes.iter().all(inner) { Ok(()) } else { Err(IdError::Alphabet) }
}

/// Shared text: an id is cloned into every record about its vehicle.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Result<$name, IdError> {
                validate(text)?;
                Ok($name(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<$name, IdError> {
                $name::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::new(&text).map_err(de::Error::custom)
            }
        }
    };
}

id!(
    /// A truck, a bus, a watch on a wrist: whatever carries the device.
    VehicleId
);
id!(
    /// The person whose hours count.
    DriverId
);

impl From<&VehicleId> for DriverId {
    /// A vehicle stands in for its driver where no driver is known.
    fn from(vehicle: &VehicleId) -> DriverId {
        DriverId(vehicle.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_keys_topics_and_alert_ids() {
        let longest = "a".repeat(64);
        for good in ["truck-042", "7", "a.b_c:d-e", longest.as_str()] {
            assert_eq!(VehicleId::new(good).map(|id| id.to_string()), Ok(good.to_owned()));
        }
        let too_long = "a".repeat(65);
        for (bad, error) in [
            ("", IdError::Empty),
            (too_long.as_str(), IdError::TooLong),
            ("-a", IdError::Alphabet),
            ("a b", IdError::Alphabet),
            ("a/b", IdError::Alphabet),
            ("a|b", IdError::Alphabet),
            ("a+", IdError::Alphabet),
            ("caf\u{e9}", IdError::Alphabet),
            ("a\n", IdError::Alphabet),
        ] {
            assert_eq!(DriverId::new(bad), Err(error), "{bad:?}");
        }
    }
}
