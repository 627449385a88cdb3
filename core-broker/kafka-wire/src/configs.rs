//! What the numbers in the config messages mean. They stay numbers in the messages: a resource or
//! an operation from a later Kafka is answered with an error, not with a closed connection.

/// What has configs.
pub mod resource_type {
    pub const TOPIC: i8 = 2;
    pub const BROKER: i8 = 4;
    pub const BROKER_LOGGER: i8 = 8;
    pub const CLIENT_METRICS: i8 = 16;
    pub const GROUP: i8 = 32;
}

/// Where a value comes from.
pub mod source {
    pub const DYNAMIC_TOPIC: i8 = 1;
    pub const DYNAMIC_BROKER: i8 = 2;
    /// Set while running, for all brokers.
    pub const DYNAMIC_DEFAULT_BROKER: i8 = 3;
    /// From the broker's config file.
    pub const STATIC_BROKER: i8 = 4;
    pub const DEFAULT: i8 = 5;
    pub const DYNAMIC_BROKER_LOGGER: i8 = 6;
    pub const DYNAMIC_CLIENT_METRICS: i8 = 7;
    pub const DYNAMIC_GROUP: i8 = 8;
}

/// What a value is.
pub mod value_type {
    pub const BOOLEAN: i8 = 1;
    pub const STRING: i8 = 2;
    pub const INT: i8 = 3;
    pub const SHORT: i8 = 4;
    pub const LONG: i8 = 5;
    pub const DOUBLE: i8 = 6;
    pub const LIST: i8 = 7;
    pub const CLASS: i8 = 8;
    pub const PASSWORD: i8 = 9;
}

/// What IncrementalAlterConfigs does to a value.
pub mod operation {
    pub const SET: i8 = 0;
    /// Back to the default.
    pub const DELETE: i8 = 1;
    /// Adds to a list what is not in it yet.
    pub const APPEND: i8 = 2;
    /// Takes out of a list what is in it.
    pub const SUBTRACT: i8 = 3;
}
