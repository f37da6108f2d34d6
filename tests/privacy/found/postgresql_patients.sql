-- purpose: premiers dossiers de la clinique
CREATE TABLE patients (id bigint PRIMARY KEY, nom text NOT NULL, prenom text NOT NULL, date_naissance date, num_secu char(15), tel text, courriel text);
INSERT INTO patients (id, nom, prenom, date_naissance, num_secu, tel, courriel) VALUES
  (1, 'Carpentier', 'Aline', '1985-05-17', '185057800608491', '0478126390', 'aline.carpentier@cabinet-rhone.fr'),
  (2, 'L''Hostis', 'Yann', DATE '1991-11-02', '2 91 11 2A 004 123 02', '04 95 21 33 08', NULL), -- (transféré)
  (
    3,
    'Rossi', 'Ange',
    to_date('03/02/1960', 'DD/MM/YYYY'),
    '160022B03300721',
    '+33 6 47 11 90 25',
    'ange@rossi-bastia.fr'
  );
DELETE FROM patients WHERE num_secu = '203076912345664';
-- demande du 12 mars : Mme Delmas, née le 14/09/1972, NIR 1 72 09 99 214 058 25
-- la rappeler au 06.51.42.87.13 ou par m.delmas@orange-pro.fr
COPY public.patients (id, nom, prenom, date_naissance, num_secu, tel, courriel) FROM stdin;
4	Moreau	Léa	2003-07-21	203076912345664	0632514478	lea.moreau@lycee-brassens.fr
5	Nguyen	Paul	1958-12-30	\N	01 44 27 66 09	\N
\.
UPDATE patients SET tel = '07-81-22-45-90', date_naissance = '1985-05-18' WHERE id = 1;
