//! What the manager promises beyond the contract, against servers of the tests' own.
