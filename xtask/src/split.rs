//! Splits the sample cells into training and test sets, according to the data set's labels.

use anyhow::{Context, Result, bail};

/// The set that a cell belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// A good cell for training.
    Train,
    /// A good cell for testing, unseen in training.
    TestGood,
    /// A defective cell.
    TestDefective,
    /// A cell whose labellers did not agree.
    Uncertain,
}

impl Subset {
    /// All sets, in the order in which their counts are printed.
    pub const ALL: [Self; 4] = [Self::Train, Self::TestGood, Self::TestDefective, Self::Uncertain];

    /// Returns the folder, in the layout of MVTec AD; `uncertain` isn't part of that layout and isn't read.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Train => "train/good",
            Self::TestGood => "test/good",
            Self::TestDefective => "test/defective",
            Self::Uncertain => "uncertain",
        }
    }
}

/// Returns the monocrystalline cells with their sets. Each line of `labels` has the form `PATH PROBABILITY TYPE`: the image's path, the
/// defect probability (0, 1/3, 2/3 or 1) and `mono` or `poly`. Of the good cells, ordered by path, every fifth (the fifth, tenth, …) is
/// for testing.
pub fn subsets(labels: &str) -> Result<Vec<(String, Subset)>> {
    let mut good = Vec::new();
    let mut others = Vec::new();
    for (index, line) in labels.lines().enumerate() {
        let context = || format!("line {} of the sample set's labels.csv: `{line}`", index + 1);
        let words: Vec<&str> = line.split_whitespace().collect();
        let (path, probability, kind) = match words.as_slice() {
            [] => continue,
            [path, probability, kind] => (*path, *probability, *kind),
            _ => bail!("{} doesn't have three columns", context()),
        };
        let probability: f64 = probability.parse().with_context(context)?;
        match kind {
            "poly" => continue,
            "mono" => {}
            _ => bail!("{} has a type other than mono and poly", context()),
        }
        match probability {
            0.0 => good.push(path.to_owned()),
            1.0 => others.push((path.to_owned(), Subset::TestDefective)),
            p if p > 0.0 && p < 1.0 => others.push((path.to_owned(), Subset::Uncertain)),
            _ => bail!("{} has a probability outside 0 to 1", context()),
        }
    }
    good.sort();
    let good = good.into_iter().enumerate().map(|(index, path)| {
        let subset = if index % 5 == 4 { Subset::TestGood } else { Subset::Train };
        (path, subset)
    });
    Ok(good.chain(others).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fifth_good_cell_in_order_of_name_is_for_testing() {
        // Listed backwards, because the order of names matters, not that of lines.
        let labels: String = (1..=12).rev().map(|i| format!("images/cell{i:04}.png  0.0   mono\n")).collect();
        let subsets = subsets(&labels).unwrap();
        let test: Vec<&str> =
            subsets.iter().filter(|(_, p)| *p == Subset::TestGood).map(|(n, _)| n.as_str()).collect();
        assert_eq!(test, ["images/cell0005.png", "images/cell0010.png"]);
        assert_eq!(subsets.iter().filter(|(_, p)| *p == Subset::Train).count(), 10);
    }

    #[test]
    fn only_cells_on_which_all_agreed_are_good_or_defective() {
        let labels = "a.png 0.3333333333333333 mono\nb.png 1.0 mono\nc.png 0.6666666666666666 mono\n\
                      d.png 0.0 poly\ne.png 1.0 poly\n\nf.png 0.0 mono\n";
        let expected = [
            ("f.png", Subset::Train),
            ("a.png", Subset::Uncertain),
            ("b.png", Subset::TestDefective),
            ("c.png", Subset::Uncertain),
        ];
        assert_eq!(subsets(labels).unwrap(), expected.map(|(n, p)| (n.to_owned(), p)));
    }

    #[test]
    fn labels_of_another_form_are_refused_with_their_line() {
        for bad in ["a.png 0.0", "a.png zero mono", "a.png 0.0 thin-film", "a.png 1.5 mono", "a.png NaN mono"]
        {
            let error = subsets(&format!("ok.png 0.0 mono\n{bad}\n")).unwrap_err();
            assert!(format!("{error:#}").contains("line 2"), "{bad}: {error:#}");
        }
    }
}
