//! Columns of text, as `printf("%-15s %s")` lays them out.

use std::fmt::Display;

/// Cells with a blank between them, each filled up to its width; one that has no width is as long as it is.
pub fn row(cells: &[&dyn Display], widths: &[usize]) -> String {
    let filled = cells.iter().enumerate().map(|(at, cell)| {
        let width = widths.get(at).copied().unwrap_or_default();
        format!("{:width$}", cell.to_string())
    });
    filled.collect::<Vec<_>>().join(" ")
}

/// The width of a column: that of its longest cell, and no less than `least`.
pub fn width<'a>(least: usize, cells: impl IntoIterator<Item = &'a str>) -> usize {
    cells.into_iter().map(|cell| cell.chars().count()).fold(least, usize::max)
}

/// What stands for nothing.
pub fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_filled_up_and_never_cut() {
        assert_eq!(row(&[&"GROUP", &1, &"LAG"], &[7, 3]), "GROUP   1   LAG");
        assert_eq!(row(&[&"longer", &""], &[3, 2]), "longer   ");
        assert_eq!(width(5, ["a", "größer"]), 6);
        assert_eq!((or_dash(Some(3)), or_dash::<i64>(None)), ("3".to_owned(), "-".to_owned()));
    }
}
