//! Layers that add or take away rows and columns.

use ndarray::arr1;

use super::super::layer::{DataFormat, Interpolation};
use super::{Converter, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;

impl Converter<'_> {
    pub(super) fn zero_padding(
        &mut self,
        site: &Site,
        borders: [[usize; 2]; 2],
        format: DataFormat,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let picture = self
            .planes(input, format)
            .ok_or_else(|| site.misfit(std::slice::from_ref(input), "it takes pictures"))?;
        let [[top, bottom], [left, right]] = borders;
        let pads = [0, 0, top, left, 0, 0, bottom, right].map(|border| border as i64);
        let pads = self.graph.initializer_i64(&site.part("pads"), &pads);
        let tensor = self.graph.node("Pad", &site.tensor, &[&picture.tensor, &pads], Vec::new());
        let [height, width] = picture.size;
        Ok(picture.with(tensor, picture.channels, [height + top + bottom, width + left + right]).value())
    }

    pub(super) fn cropping(
        &mut self,
        site: &Site,
        borders: [[usize; 2]; 2],
        format: DataFormat,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let misfit = |reason| site.misfit(std::slice::from_ref(input), reason);
        let picture = self.planes(input, format).ok_or_else(|| misfit("it takes pictures"))?;
        let [[top, bottom], [left, right]] = borders;
        let [height, width] = picture.size;
        let inside =
            |size: usize, before: usize, after: usize| size.checked_sub(after).filter(|end| *end > before);
        let ends = inside(height, top, bottom).zip(inside(width, left, right));
        let (below, beside) = ends.ok_or_else(|| misfit("nothing is left of the picture"))?;
        let starts = self.graph.initializer_i64(&site.part("starts"), &[top as i64, left as i64]);
        let ends = self.graph.initializer_i64(&site.part("ends"), &[below as i64, beside as i64]);
        let axes = self.graph.initializer_i64(&site.part("axes"), &[2, 3]);
        let inputs = [picture.tensor.as_str(), &starts, &ends, &axes];
        let tensor = self.graph.node("Slice", &site.tensor, &inputs, Vec::new());
        Ok(picture.with(tensor, picture.channels, [below - top, beside - left]).value())
    }

    pub(super) fn up_sampling(
        &mut self,
        site: &Site,
        factors: [usize; 2],
        interpolation: Interpolation,
        format: DataFormat,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let misfit = |reason| site.misfit(std::slice::from_ref(input), reason);
        let picture = self.planes(input, format).ok_or_else(|| misfit("it takes pictures"))?;
        let [rows, columns] = factors;
        let scales = arr1(&[1.0, 1.0, rows as f32, columns as f32]);
        let scales = self.graph.initializer_f32(&site.part("scales"), scales.view());
        let attributes = match interpolation {
            Interpolation::Nearest => vec![
                attribute::string("mode", "nearest"),
                attribute::string("coordinate_transformation_mode", "asymmetric"),
                attribute::string("nearest_mode", "floor"),
            ],
            Interpolation::Bilinear => vec![
                attribute::string("mode", "linear"),
                attribute::string("coordinate_transformation_mode", "half_pixel"),
            ],
        };
        let tensor = self.graph.node("Resize", &site.tensor, &[&picture.tensor, "", &scales], attributes);
        let enlarged = picture.size[0].checked_mul(rows).zip(picture.size[1].checked_mul(columns));
        let (height, width) = enlarged.ok_or_else(|| misfit("the picture would be too large"))?;
        Ok(picture.with(tensor, picture.channels, [height, width]).value())
    }
}
