ALTER TABLE `books` ADD `tags` text DEFAULT '[]' NOT NULL;
