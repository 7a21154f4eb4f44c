//! Local stand-ins for the Splynx and Sage APIs, and seeded internet providers.
