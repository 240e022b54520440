//! Rows as columns: one closure a column.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringArray};
use chrono::{DateTime, NaiveDate, Utc};

use super::columns::{days_of, instant_array};

/// The rows of a batch to be.
pub(super) struct Encoder<'a, R>(pub(super) &'a [&'a R]);

impl<'a, R> Encoder<'a, R> {
    /// NaN and infinity are no numbers of a table: they are null. Readers that skip files by their statistics would lose rows,
    /// since statistics leave NaN out; where a column demands a number the row is refused.
    pub(super) fn floats(&self, value: impl Fn(&R) -> Option<f64>) -> ArrayRef {
        let finite = self.0.iter().map(|row| value(row).filter(|number| number.is_finite()));
        Arc::new(finite.collect::<Float64Array>())
    }

    pub(super) fn integers(&self, value: impl Fn(&R) -> Option<i64>) -> ArrayRef {
        Arc::new(self.0.iter().map(|row| value(row)).collect::<Int64Array>())
    }

    pub(super) fn texts(&self, value: impl Fn(&'a R) -> &'a str) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(self.0.iter().map(|row| value(row))))
    }

    pub(super) fn optional_texts(&self, value: impl Fn(&'a R) -> Option<&'a str>) -> ArrayRef {
        Arc::new(self.0.iter().map(|row| value(row)).collect::<StringArray>())
    }

    pub(super) fn dates(&self, value: impl Fn(&R) -> NaiveDate) -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(self.0.iter().map(|row| days_of(value(row)))))
    }

    pub(super) fn instants(&self, value: impl Fn(&R) -> DateTime<Utc>) -> ArrayRef {
        Arc::new(instant_array(self.0.iter().map(|row| value(row))))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Float64Type;

    use super::*;

    #[test]
    fn what_is_no_number_is_null() {
        let rows = [&Some(1.5), &Some(f64::NAN), &Some(f64::INFINITY), &None];
        let array = Encoder(&rows).floats(|row| *row);
        let valid: Vec<bool> = (0..array.len()).map(|row| array.is_valid(row)).collect();
        assert_eq!(valid, [true, false, false, false]);
        assert!((array.as_primitive::<Float64Type>().value(0) - 1.5).abs() < f64::EPSILON);
    }
}
