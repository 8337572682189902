//! Each primitive, as it is used, against published vectors; each format against its own.

mod file;
mod formats;
mod layout;
mod rsa;
mod symmetric;

/// Every vector file, and the test that reads it.
const READ: [&str; 11] = [
    "aes_256_gcm.txt",
    "format_faults.txt",
    "format_valid.txt",
    "hmac_sha256.txt",
    "labelled.txt",
    "pbkdf2_hmac_sha256.txt",
    "rsa_oaep_2048.txt",
    "rsa_oaep_3072.txt",
    "rsa_pss_2048.txt",
    "rsa_pss_3072.txt",
    "sha256.txt",
];

#[test]
fn every_vector_file_is_read() {
    let mut found: Vec<String> = std::fs::read_dir(file::FOLDER)
        .expect("the folder of vectors is there")
        .map(|entry| entry.expect("its entries can be read").file_name())
        .map(|name| name.into_string().expect("their names are ASCII"))
        .filter(|name| name.ends_with(".txt"))
        .collect();
    found.sort();
    assert_eq!(found, READ);
}
