"""Pages for people, made from the rules' own folders: one for each rule, an index, coverage of requirements, pack limits."""
