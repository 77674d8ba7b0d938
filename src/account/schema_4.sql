-- A card list asks each card for its identities: without this, every card for all identities there are.
CREATE INDEX identity_of_card ON card_identity (card);
