//! Text with the levels of an MQTT topic in it.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Counted from 1.
    Level(usize),
    Client,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("{0:?} is not closed")]
    NotClosed(String),
    #[error("{{{0}}} is not known: {{1}} to {{9}} and {{client}} are")]
    Unknown(String),
    #[error("it is empty")]
    Empty,
}

impl Template {
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) =
                after.split_once('}').ok_or_else(|| TemplateError::NotClosed(text.to_owned()))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name.as_bytes() {
                b"client" => Part::Client,
                [digit @ b'1'..=b'9'] => Part::Level(usize::from(digit - b'0')),
                _ => return Err(TemplateError::Unknown(name.to_owned())),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if parts.is_empty() { Err(TemplateError::Empty) } else { Ok(Template(parts)) }
    }

    /// `None`: the topic has not so many levels.
    pub fn fill(&self, topic: &str, client_id: &str) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            filled.push_str(match part {
                Part::Text(text) => text,
                Part::Level(level) => topic.split('/').nth(level - 1)?,
                Part::Client => client_id,
            });
        }
        Some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_client_are_filled_in() {
        for (template, expected) in [
            ("{3}", Some("truck-7")),
            ("fleet/{2}/{3}/alert", Some("fleet/north/truck-7/alert")),
            ("{client}:{1}", Some("c1:fleet")),
            ("fixed", Some("fixed")),
            ("{5}", None),
        ] {
            let filled = Template::parse(template).unwrap().fill("fleet/north/truck-7/gps", "c1");
            assert_eq!(filled.as_deref(), expected, "{template}");
        }
    }

    #[test]
    fn a_template_that_says_nothing_is_refused() {
        for (template, error) in [
            ("", TemplateError::Empty),
            ("{0}", TemplateError::Unknown("0".into())),
            ("{vehicle}", TemplateError::Unknown("vehicle".into())),
            ("a{3", TemplateError::NotClosed("a{3".into())),
        ] {
            assert_eq!(Template::parse(template), Err(error), "{template}");
        }
    }
}
