//! JSON has no NaN. A number that is not finite is written as `null`, or left out where the
//! field is optional; whoever makes an event makes sure it does not come to that.

/// For `skip_serializing_if`: nothing there, or nothing that JSON can say.
pub fn absent(value: &Option<f64>) -> bool {
    !value.is_some_and(f64::is_finite)
}
