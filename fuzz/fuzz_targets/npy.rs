//! Rows that are written as `.npy` read back as the same bits; any other bytes are an array or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use npyz::WriterBuilder;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = npyz::NpyFile::new(bytes)
        && file.len() < 1 << 20
    {
        let _ = file.into_vec::<f32>();
    }
    let row: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let mut written = Vec::new();
    let shape = [1, row.len() as u64];
    let options = npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape);
    let mut writer = options.writer(&mut written).begin_nd().unwrap();
    writer.extend(row.iter().copied()).unwrap();
    writer.finish().unwrap();
    let read = npyz::NpyFile::new(written.as_slice()).unwrap().into_vec::<f32>().unwrap();
    assert!(row.iter().zip(&read).all(|(a, b)| a.to_bits() == b.to_bits()) && row.len() == read.len());
});
