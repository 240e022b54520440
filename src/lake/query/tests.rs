//! What a statement may ask and what it is answered.
