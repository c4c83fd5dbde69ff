//! Convolution, batch norm, residual and ReLU as one layer: patches, a matrix product, one pass over the result.

use candle_core::{
    CpuStorage, CustomOp1, InplaceOp1, InplaceOp2, Layout, Result, Shape as Dims, Tensor, bail,
};
use rayon::prelude::*;

use super::error::Loaded;
use super::weights::Scope;

/// Batch norm's, in torchvision and timm.
const EPS: f32 = 1e-5;

/// A square convolution, padded so that only the stride makes the map smaller.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub from: usize,
    pub to: usize,
    pub kernel: usize,
    pub stride: usize,
}

impl Shape {
    fn padding(self) -> usize {
        self.kernel / 2
    }
    fn out(self, side: usize) -> usize {
        (side + 2 * self.padding() - self.kernel) / self.stride + 1
    }
}

/// A convolution with its batch norm folded in.
pub struct Conv {
    shape: Shape,
    /// `[to, from · kernel · kernel]`
    weight: Tensor,
    bias: Vec<f32>,
    /// `[1, to, 1, 1]`
    bias_map: Tensor,
}

impl Conv {
    pub fn load(scope: &Scope, conv: &str, norm: &str, shape: Shape) -> Loaded<Self> {
        let Shape { from, to, kernel, .. } = shape;
        let norm = scope.sub(norm);
        let mut weight = scope.values(&format!("{conv}.weight"), &[to, from, kernel, kernel])?;
        let part = |name| norm.values(name, &[to]);
        let (gamma, mut bias) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let size = from * kernel * kernel;
        for (i, row) in weight.chunks_mut(size).enumerate() {
            let scale = gamma[i] / (variance[i] + EPS).sqrt();
            row.iter_mut().for_each(|w| *w *= scale);
            bias[i] -= mean[i] * scale;
        }
        let bias_map = scope.upload(bias.clone(), &[1, to, 1, 1])?;
        Ok(Self { shape, weight: scope.upload(weight, &[to, size])?, bias, bias_map })
    }

    /// `[n, from, h, w]` → `[n, to, h / stride, w / stride]`, rounded up; `add` before the ReLU.
    pub fn forward(&self, x: &Tensor, add: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        if !x.device().is_cpu() {
            return self.forward_elsewhere(x, add, relu);
        }
        let (n, c, h, w) = x.dims4()?;
        let whole = self.shape.kernel == 1 && self.shape.stride == 1;
        // 1×1: the map itself is the matrix. Else patches: candle's own conv2d took 150 ms for a photo, this 90.
        let patches =
            if whole { x.reshape((n, c, h * w))? } else { x.apply_op1_no_bwd(&Patches(self.shape))? };
        let y = self.weight.broadcast_left(n)?.matmul(&patches)?;
        let finish = Finish { bias: &self.bias, relu };
        let y = y.reshape((n, self.shape.to, self.shape.out(h), self.shape.out(w)))?;
        match add {
            Some(add) => y.inplace_op2(add, &finish)?,
            None => y.inplace_op1(&finish)?,
        }
        Ok(y)
    }

    pub(super) fn forward_elsewhere(&self, x: &Tensor, add: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        let Shape { from, to, kernel, stride } = self.shape;
        let weight = self.weight.reshape((to, from, kernel, kernel))?;
        let y = x.conv2d(&weight, self.shape.padding(), stride, 1, 1)?.broadcast_add(&self.bias_map)?;
        let y = match add {
            Some(add) => (y + add)?,
            None => y,
        };
        if relu { y.relu() } else { Ok(y) }
    }
}

/// im2col: `[n, c, h, w]` → `[n, c · k · k, out_h · out_w]`, zeros outside the picture.
struct Patches(Shape);

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Dims)> {
        let Some((from, to)) = layout.contiguous_offsets() else { bail!("patches want a contiguous map") };
        let (n, c, h, w) = layout.shape().dims4()?;
        let (kernel, out_h, out_w) = (self.0.kernel, self.0.out(h), self.0.out(w));
        let mut patches = vec![0f32; n * c * kernel * kernel * out_h * out_w];
        let planes = storage.as_slice::<f32>()?[from..to].par_chunks(h * w);
        patches.par_chunks_mut(kernel * kernel * out_h * out_w).zip(planes).for_each(|(patches, plane)| {
            for (tap, patch) in patches.chunks_mut(out_h * out_w).enumerate() {
                shift(self.0, tap / kernel, tap % kernel, (plane, w), (patch, out_w));
            }
        });
        Ok((CpuStorage::F32(patches), (n, c * kernel * kernel, out_h * out_w).into()))
    }
}

/// One plane as tap (`ky`, `kx`) of the kernel sees it; `out` is zero before. Each plane comes with its width.
fn shift(shape: Shape, ky: usize, kx: usize, (plane, w): (&[f32], usize), (out, out_w): (&mut [f32], usize)) {
    let (stride, padding) = (shape.stride, shape.padding());
    // The output columns whose input column stride · x + kx - padding lies in 0..w.
    let first = padding.saturating_sub(kx).div_ceil(stride);
    let last = ((w + padding).saturating_sub(kx).div_ceil(stride)).min(out_w);
    if first >= last {
        return;
    }
    for (y, row) in out.chunks_mut(out_w).enumerate() {
        let Some(from) = (y * stride + ky).checked_sub(padding).and_then(|y| plane.get(y * w..(y + 1) * w))
        else {
            continue;
        };
        let from = &from[first * stride + kx - padding..];
        match stride {
            1 => row[first..last].copy_from_slice(&from[..last - first]),
            _ => row[first..last].iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &v)| *to = v),
        }
    }
}

/// Adds the bias of each channel, perhaps another map, and cuts off what is negative; in place.
struct Finish<'a> {
    bias: &'a [f32],
    relu: bool,
}

impl Finish<'_> {
    /// Each channel's plane of the map, with its bias.
    fn planes<'s>(
        &'s self,
        storage: &'s mut CpuStorage,
        layout: &Layout,
    ) -> Result<impl IndexedParallelIterator<Item = (&'s mut [f32], f32)>> {
        let (Some((from, to)), CpuStorage::F32(values)) = (layout.contiguous_offsets(), storage) else {
            bail!("finish wants a contiguous f32 map")
        };
        let (_, _, h, w) = layout.shape().dims4()?;
        let planes = values[from..to].par_chunks_mut(h * w).enumerate();
        Ok(planes.map(|(i, plane)| (plane, self.bias[i % self.bias.len()])))
    }

    fn floor(&self) -> f32 {
        if self.relu { 0.0 } else { f32::NEG_INFINITY }
    }
}

impl InplaceOp1 for Finish<'_> {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let floor = self.floor();
        self.planes(storage, layout)?
            .for_each(|(plane, bias)| plane.iter_mut().for_each(|v| *v = (*v + bias).max(floor)));
        Ok(())
    }
}

impl InplaceOp2 for Finish<'_> {
    fn name(&self) -> &'static str {
        "finish with residual"
    }

    fn cpu_fwd(&self, s: &mut CpuStorage, l: &Layout, add: &CpuStorage, add_l: &Layout) -> Result<()> {
        let Some((from, to)) = add_l.contiguous_offsets() else { bail!("a residual is contiguous") };
        let (_, _, h, w) = add_l.shape().dims4()?;
        let floor = self.floor();
        let add = add.as_slice::<f32>()?[from..to].par_chunks(h * w);
        self.planes(s, l)?.zip(add).for_each(|((plane, bias), add)| {
            plane.iter_mut().zip(add).for_each(|(v, a)| *v = (*v + bias + a).max(floor));
        });
        Ok(())
    }
}
