"""Networks of any shape, solved by nodal analysis, as substrates."""
