DROP TABLE placed_order;
