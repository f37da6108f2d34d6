DROP TABLE vault_access;
