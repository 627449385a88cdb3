//! From what an admin asks of the configs of one resource to their new values.

use super::values::{ConfigError, Values, elements, join};

/// What is asked of one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    Set(String),
    /// Back to the default.
    Unset,
    /// Adds to a list what is not in it yet.
    Append(String),
    /// Takes out of a list what is in it.
    Subtract(String),
}

/// The value that a config of its own gets, `None` to have none. `in_force` is the value that holds now,
/// whatever it comes from: lists are appended to that.
pub fn altered(
    key: &str,
    values: Option<&Values>,
    in_force: &str,
    operation: &Operation,
) -> Result<Option<String>, ConfigError> {
    let not_a_list = |operation| Err(ConfigError::NotAList { operation, key: key.to_owned() });
    let is_list = values.is_some_and(Values::is_list);
    match operation {
        Operation::Unset => Ok(None),
        Operation::Set(value) => Ok(Some(values.map_or(value.clone(), |values| values.canonical(value)))),
        Operation::Append(_) if !is_list => not_a_list("APPEND"),
        Operation::Subtract(_) if !is_list => not_a_list("SUBTRACT"),
        Operation::Append(more) => Ok(Some(join(elements(in_force).chain(elements(more))))),
        Operation::Subtract(less) => {
            let stays = |element: &&str| !elements(less).any(|gone| gone == *element);
            Ok(Some(join(elements(in_force).filter(stays))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_27_appending_and_subtracting_change_a_list_and_nothing_else() {
        let (append, subtract) =
            (|it: &str| Operation::Append(it.into()), |it: &str| Operation::Subtract(it.into()));
        for (in_force, operation, expected) in [
            ("delete", append("compact"), "delete,compact"),
            ("delete,compact", append("compact"), "delete,compact"),
            ("", append("compact,compact"), "compact"),
            ("delete,compact", subtract("delete"), "compact"),
            ("compact", subtract("delete"), "compact"),
            ("compact", subtract("compact"), ""),
            ("", subtract("compact"), ""),
        ] {
            let altered = altered("cleanup.policy", Some(&Values::List), in_force, &operation);
            assert_eq!(altered, Ok(Some(expected.to_owned())), "{in_force} {operation:?}");
        }
        for (values, operation, name) in [
            (Some(Values::Long { min: 0 }), append("1"), "APPEND"),
            (Some(Values::Text), subtract("1"), "SUBTRACT"),
            (None, append("1"), "APPEND"),
        ] {
            let refused = altered("k", values.as_ref(), "", &operation).expect_err("refused").to_string();
            assert_eq!(refused, format!("Can't {name} to key k because its type is not LIST."));
        }
    }
}
