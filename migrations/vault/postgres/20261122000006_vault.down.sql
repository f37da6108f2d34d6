DROP TABLE vault_backup;
DROP TABLE vault_person;
DROP TABLE vault_hold;
DROP TABLE vault_content_key;
DROP TABLE vault_batch;
DROP TABLE vault_period;
DROP TABLE vault;
