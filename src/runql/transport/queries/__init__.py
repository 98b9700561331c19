"""Operations and connections of users: what `execute` and `pages` take."""
