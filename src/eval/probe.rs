//! A linear read-out fitted on vectors: what a small head on top of a frozen encoder could tell. Knows no text.

/// How a row's number is told from the weighted sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Labels 0 and 1: logistic regression.
    Logistic,
    /// Scores: ridge regression.
    Identity,
}

/// Weights for standardised numbers, the last one for the constant.
pub struct Probe {
    mean: Vec<f32>,
    scale: Vec<f32>,
    weights: Vec<f32>,
}

impl Probe {
    /// Gradient descent with momentum from zero, so the same rows always give the same probe.
    ///
    /// # Panics
    /// Without rows, or if there are not as many targets.
    pub fn fit(rows: &[&[f32]], targets: &[f64], link: Link) -> Self {
        const STEPS: usize = 400;
        const RATE: f32 = 0.3;
        const MOMENTUM: f32 = 0.9;
        const RIDGE: f32 = 1e-2;
        assert_eq!(rows.len(), targets.len(), "one target per row");
        let (count, dim) = (rows.len() as f32, rows[0].len());
        let (mean, scale) = standard(rows);
        let mut probe = Self { mean, scale, weights: vec![0.0; dim + 1] };
        let rows: Vec<Vec<f32>> = rows.iter().map(|row| probe.standardised(row)).collect();
        let targets = spread(targets, link);
        let mut speed = vec![0.0f32; dim + 1];
        // The steepest direction of `dim` standardised numbers is at most `dim` steep.
        let rate = RATE / (1.0 + dim as f32).sqrt();
        for _ in 0..STEPS {
            let mut slope: Vec<f32> = probe.weights.iter().map(|w| w * RIDGE).collect();
            slope[dim] = 0.0;
            for (row, target) in rows.iter().zip(&targets) {
                let sum = dot(row, &probe.weights);
                let told = if link == Link::Logistic { 1.0 / (1.0 + (-sum).exp()) } else { sum };
                let off = (told - target) / count;
                slope.iter_mut().zip(row).for_each(|(s, x)| *s += off * x);
            }
            for ((weight, speed), slope) in probe.weights.iter_mut().zip(&mut speed).zip(slope) {
                *speed = MOMENTUM * *speed - rate * slope;
                *weight += *speed;
            }
        }
        probe
    }

    /// The larger, the more.
    pub fn tell(&self, row: &[f32]) -> f32 {
        dot(&self.standardised(row), &self.weights)
    }

    fn standardised(&self, row: &[f32]) -> Vec<f32> {
        let numbers =
            row.iter().zip(&self.mean).zip(&self.scale).map(|((x, mean), scale)| (x - mean) * scale);
        numbers.chain([1.0]).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Scores become numbers around 0 of about 1, which the step fits; labels stay.
fn spread(targets: &[f64], link: Link) -> Vec<f32> {
    if link == Link::Logistic {
        return targets.iter().map(|&t| t as f32).collect();
    }
    let count = targets.len() as f64;
    let mean = targets.iter().sum::<f64>() / count;
    let spread = (targets.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / count).sqrt();
    let spread = if spread > 0.0 { spread } else { 1.0 };
    targets.iter().map(|t| ((t - mean) / spread) as f32).collect()
}

/// Mean, and one over the standard deviation, of each number.
fn standard(rows: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
    let count = rows.len() as f32;
    let dim = rows[0].len();
    let column = |at: usize| rows.iter().map(move |row| row[at]);
    let mean: Vec<f32> = (0..dim).map(|at| column(at).sum::<f32>() / count).collect();
    let scale = (0..dim).map(|at| {
        let spread = (column(at).map(|x| (x - mean[at]).powi(2)).sum::<f32>() / count).sqrt();
        // A number that never changes tells nothing.
        if spread > 1e-6 { 1.0 / spread } else { 0.0 }
    });
    let scale = scale.collect();
    (mean, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_direction_that_tells() {
        let rows: Vec<[f32; 3]> =
            (0..200).map(|i| [(i % 7) as f32 * 0.01, ((i * 13) % 11) as f32 - 5.0, 4.0]).collect();
        let rows: Vec<&[f32]> = rows.iter().map(<[f32; 3]>::as_slice).collect();
        let labels: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row[0] > 0.03))).collect();
        let probe = Probe::fit(&rows, &labels, Link::Logistic);
        let right =
            rows.iter().zip(&labels).filter(|(row, label)| (probe.tell(row) > 0.0) == (**label == 1.0));
        assert!(right.count() > 190);
        let scores: Vec<f64> = rows.iter().map(|row| 3.0 - f64::from(row[1])).collect();
        let probe = Probe::fit(&rows, &scores, Link::Identity);
        assert!(probe.tell(&[0.0, -5.0, 4.0]) > probe.tell(&[0.0, 0.0, 4.0]) + 0.5);
        assert!(Probe::fit(&rows, &labels, Link::Logistic).tell(rows[0]).is_finite());
    }
}
