pub mod scripts;
