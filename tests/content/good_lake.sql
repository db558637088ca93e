-- A small lake in which every quality rule holds: four hospitals of one city, 400 stays of six months.
-- Raw tables exist; a statement ends with a semicolon at the end of a line.
CREATE OR REPLACE TABLE raw.hospital AS
SELECT
    's' || h AS source_id, 'contract' AS batch_id, 0::BIGINT AS row_no, 'H0' || h AS fixmedins_code,
    '第' || h || '人民医院' AS hospital_name, 'Hospital ' || h AS hospital_name_en, (h % 3 + 1)::VARCHAR AS hosp_lv,
    '江城' AS city, '楚源' AS region, 'CNY' AS currency, 'synthetic' AS origin
FROM range(1, 5) AS t(h);
CREATE OR REPLACE TEMP MACRO token(i) AS
    'p1a2b_' || lpad(translate(i::VARCHAR, '0123456789', 'abcdefghij'), 26, 'a');
CREATE OR REPLACE TEMP TABLE stay AS
SELECT
    i, 's' || (i % 4 + 1) AS source_id, 'M' || lpad(i::VARCHAR, 6, '0') AS mdtrt_id, token(i) AS psn_no,
    'H0' || (i % 4 + 1) AS fixmedins_code, (i // 4 % 2 + 1)::VARCHAR AS gend, 20 + i * 7 % 60 AS age,
    TIMESTAMP '2026-01-03 09:30:00' + to_months((i // 4 % 6)::INTEGER) + to_days((i % 20)::INTEGER) AS begntime,
    1 + i * 5 % 9 AS days, ['I10.X00', 'J18.900', 'K29.500', 'E11.900', 'I63.900', 'S72.000', 'M51.202', 'A09.901'][i // 4 % 8 + 1] AS diagnosis,
    (1500 + i * 7919 % 30000)::DECIMAL(18, 2) AS cost
FROM range(400) AS t(i);
INSERT INTO raw.front_page BY NAME
SELECT
    source_id, 'b-' || source_id AS batch_id, i AS row_no, mdtrt_id, 'S' || mdtrt_id AS setl_id, fixmedins_code, psn_no, gend, age,
    (begntime - to_years(age::INTEGER))::DATE AS brdy, CASE WHEN i % 3 = 0 THEN '390' ELSE '310' END AS insutype, '21' AS med_type,
    begntime, begntime + to_days(days::INTEGER) AS endtime, days AS ipt_days, CASE WHEN i % 50 = 0 THEN '5' ELSE '1' END AS dscg_way,
    (i % 2 + 1)::VARCHAR AS adm_way, '内科' AS adm_dept_name, '内科' AS dscg_dept_name, diagnosis AS dscg_maindiag_code,
    '诊断名称' AS dscg_maindiag_name, '47.0100' AS main_oprn_code, cost AS medfee_sumamt, cost * 0.6 AS fund_pay_sumamt, cost * 0.2 AS psn_selfpay
FROM stay;
INSERT INTO raw.diagnosis BY NAME
SELECT source_id, 'b' AS batch_id, i AS row_no, mdtrt_id, n AS diag_srt, diagnosis AS diag_code, '诊断名称' AS diag_name
FROM stay, range(1, 4) AS r(n);
INSERT INTO raw.operation BY NAME
SELECT source_id, 'b' AS batch_id, i AS row_no, mdtrt_id, 1 AS oprn_srt, '47.0100' AS oprn_oprt_code, '阑尾切除术' AS oprn_oprt_name
FROM stay;
INSERT INTO raw.fee_line BY NAME
SELECT
    source_id, 'b' AS batch_id, i AS row_no, mdtrt_id, 'F' || i || '-' || n AS feedetl_sn, begntime + to_hours(n::INTEGER) AS fee_ocur_time,
    'XA01ABD075A002010100483' AS med_list_codg, 'L' || (n + i // 4 % 2 * 12) AS medins_list_codg, '项目名称' AS medins_list_name,
    ['09', '08', '03', '11'][n % 4 + 1] AS med_chrgitm_type, '0' || (n % 3 + 1) AS chrgitm_lv, 2::DECIMAL(18, 4) AS cnt,
    (10 + n)::DECIMAL(18, 6) AS pric, (2 * (10 + n))::DECIMAL(18, 2) AS det_item_fee_sumamt, 0.1::DECIMAL(9, 6) AS selfpay_prop, '内科' AS bilg_dept_name
FROM stay, range(12) AS r(n);
INSERT INTO raw.drug BY NAME
SELECT
    's' || h AS source_id, 'b' AS batch_id, n AS row_no, 'D' || n AS medins_list_codg, '阿莫西林胶囊' AS medins_list_name, '0.25g*24粒' AS spec,
    '胶囊' AS dosform_name, '某制药厂' AS prodentp_name, '国药准字H20003263' AS aprvno, '盒' AS unit, 12.5::DECIMAL(18, 6) AS pric
FROM range(1, 5) AS t(h), range(20) AS r(n);
INSERT INTO raw.consumable BY NAME
SELECT
    's' || h AS source_id, 'b' AS batch_id, n AS row_no, 'C' || n AS medins_list_codg, '冠脉支架' AS medins_list_name, '3.0*18' AS spec,
    '钴铬合金' AS material, '某器械厂' AS prodentp_name, '国械注准20203130123' AS regno, '个' AS unit, 700::DECIMAL(18, 6) AS pric
FROM range(1, 5) AS t(h), range(20) AS r(n);
INSERT INTO raw.service_item BY NAME
SELECT
    's' || h AS source_id, 'b' AS batch_id, n AS row_no, 'H0' || h AS fixmedins_code, 'V' || n AS medins_list_codg, '血常规' AS medins_list_name,
    '次' AS unit, 20::DECIMAL(18, 6) AS pric
FROM range(1, 5) AS t(h), range(20) AS r(n);
CREATE OR REPLACE VIEW staging.stg_claims__front_page AS SELECT *, source_id || ':' || mdtrt_id AS stay_id FROM lake.raw.front_page;
CREATE OR REPLACE VIEW staging.stg_claims__diagnosis AS SELECT *, source_id || ':' || mdtrt_id AS stay_id FROM lake.raw.diagnosis;
CREATE OR REPLACE VIEW staging.stg_claims__fee_line AS SELECT *, source_id || ':' || mdtrt_id AS stay_id FROM lake.raw.fee_line;
CREATE OR REPLACE VIEW staging.stg_claims__service_item AS SELECT * FROM lake.raw.service_item;
CREATE OR REPLACE TABLE marts.dim_hospital AS
SELECT source_id || ':' || fixmedins_code AS hospital_id, * EXCLUDE (batch_id, row_no) FROM raw.hospital;
CREATE OR REPLACE TABLE marts.fct_stay AS
SELECT
    p.source_id || ':' || p.mdtrt_id AS stay_id, p.source_id, p.mdtrt_id, p.psn_no, h.region, p.gend, p.age AS age_years, '45-59' AS age_band,
    date_trunc('month', p.endtime)::DATE AS discharge_month, p.ipt_days AS stay_days, 'ICD-10' AS diagnosis_system, '09' AS chapter_no,
    left(p.dscg_maindiag_code, 1) AS diagnosis_chapter, left(p.dscg_maindiag_code, 3) AS diagnosis_category, p.medfee_sumamt,
    12::BIGINT AS fee_line_count, p.medfee_sumamt AS fee_line_amount, p.medfee_sumamt * 0.3 AS drug_amount,
    p.dscg_way = '5' AS is_dead, true AS is_valid
FROM raw.front_page AS p INNER JOIN raw.hospital AS h ON p.source_id = h.source_id;
CREATE OR REPLACE TABLE marts.fct_fee_line AS
SELECT
    source_id || ':' || mdtrt_id AS stay_id, *, date_trunc('month', fee_ocur_time)::DATE AS charge_month,
    CASE med_chrgitm_type WHEN '09' THEN 'drug' WHEN '11' THEN 'drug' WHEN '08' THEN 'consumable' ELSE 'service' END AS charge_group
FROM raw.fee_line;
CREATE OR REPLACE TABLE marts.ind_disease_spectrum AS
SELECT
    '楚源' AS region, DATE '2026-01-01' + to_months((i % 6)::INTEGER) AS discharge_month, 'I' || lpad(i::VARCHAR, 2, '0') AS diagnosis_category,
    30::BIGINT AS stay_count, 1::BIGINT AS death_count, 60::BIGINT AS stay_days, 100000::DECIMAL(38, 2) AS cost
FROM range(30) AS t(i);
CREATE OR REPLACE TABLE marts.feat_stay_cost AS
SELECT
    stay_id, source_id, region, ['target_train', 'target_valid', 'target_test'][least(row_number() OVER () % 10, 3)] AS part, medfee_sumamt AS cost,
    coalesce(part, 'source') AS split, ln(medfee_sumamt::DOUBLE) AS log_cost, age_years::DOUBLE AS age, (gend = '1')::DOUBLE AS is_male,
    ln(1 + stay_days)::DOUBLE AS log_days, 3::DOUBLE AS diagnosis_count, 0.4::DOUBLE AS is_emergency, 3::DOUBLE AS hospital_level, diagnosis_chapter
FROM marts.fct_stay;
INSERT INTO raw.settlement BY NAME
SELECT
    source_id, 'b' AS batch_id, i AS row_no, 'S' || mdtrt_id AS setl_id, mdtrt_id, fixmedins_code, psn_no, '310' AS insutype, '21' AS med_type,
    begntime + to_days(days::INTEGER) AS setl_time, cost AS medfee_sumamt, cost * 0.6 AS fund_pay_sumamt, cost * 0.2 AS psn_selfpay, '0' AS refd_setl_flag
FROM stay;
CREATE OR REPLACE VIEW staging.stg_claims__settlement AS SELECT *, source_id || ':' || mdtrt_id AS stay_id FROM lake.raw.settlement;
CREATE OR REPLACE TABLE marts.fct_settlement AS
SELECT source_id, setl_id, source_id || ':' || mdtrt_id AS stay_id, row_no, medfee_sumamt, 'live' AS status FROM raw.settlement;
CREATE OR REPLACE TABLE marts.fct_item_use AS
SELECT
    stay_id, source_id, medins_list_codg, charge_group, min(row_no) AS row_no, sum(cnt) AS quantity, sum(det_item_fee_sumamt) AS amount
FROM marts.fct_fee_line WHERE charge_group <> 'service' GROUP BY ALL;
CREATE OR REPLACE TABLE marts.fct_finding AS
SELECT stay_id, source_id, 'fee_sum_differs' AS kind, '' AS row_key, 1.00::DECIMAL(38, 2) AS money FROM marts.fct_stay LIMIT 20;
CREATE OR REPLACE TABLE marts.ind_drug_use AS
SELECT
    s.region, s.discharge_month, s.diagnosis_category, s.psn_no, u.medins_list_codg, count(*) AS stay_count, count(DISTINCT s.psn_no) AS patient_count,
    0.5::DOUBLE AS stay_share, sum(u.amount) AS amount
FROM marts.fct_item_use AS u INNER JOIN marts.fct_stay AS s ON u.stay_id = s.stay_id WHERE u.charge_group = 'drug' GROUP BY ALL;
CREATE OR REPLACE TABLE marts.ind_consumable_use AS
SELECT
    s.region, s.discharge_month, s.diagnosis_category, s.psn_no, u.medins_list_codg, count(*) AS stay_count, count(DISTINCT s.psn_no) AS patient_count,
    0.5::DOUBLE AS stay_share, sum(u.amount) AS amount
FROM marts.fct_item_use AS u INNER JOIN marts.fct_stay AS s ON u.stay_id = s.stay_id WHERE u.charge_group = 'consumable' GROUP BY ALL;
CREATE OR REPLACE TABLE marts.dim_item AS
SELECT
    's1' AS source_id, 'L' || i AS medins_list_codg, 0.99::DOUBLE AS confidence, 'X' || i AS code, 'name' AS national_name,
    8.6::DECIMAL(18, 6) AS pric, 0.358333::DECIMAL(18, 6) AS price_per_piece
FROM range(200) AS t(i);
CREATE OR REPLACE TABLE marts.ind_item_price AS
SELECT
    DATE '2026-01-01' AS discharge_month, 's1:A' AS hospital_id, 'X' || i AS code, 1.0::DOUBLE AS price_ratio,
    0.3::DECIMAL(18, 6) AS region_low_price, 0.4::DECIMAL(18, 6) AS region_high_price
FROM range(200) AS t(i);
CREATE OR REPLACE TABLE marts.fct_stay_group AS
SELECT 's1:M' || i AS stay_id, 's1' AS source_id, 'grouped' AS status, true AS is_grouped FROM range(200) AS t(i);
CREATE OR REPLACE TABLE marts.fct_payment AS
SELECT
    's1:M' || i AS stay_id, 'package' AS paid_as, 8000.00::DECIMAL(18, 2) AS payable, 9000.00::DECIMAL(18, 2) AS cost,
    -1000.00::DECIMAL(18, 2) AS balance
FROM range(200) AS t(i);
CREATE OR REPLACE TABLE marts.ind_case_mix AS
SELECT 's1:A' AS hospital_id, DATE '2026-01-01' AS discharge_month, 1.1::DOUBLE AS cmi;
CREATE OR REPLACE TABLE marts.ind_cost_consumption AS
SELECT 's1:A' AS hospital_id, DATE '2026-01-01' AS discharge_month, 0.9::DOUBLE AS index_value;
CREATE OR REPLACE TABLE marts.ind_comparison AS
SELECT 's1:A' AS hospital_id, 0.5::DOUBLE AS ratio, 'within' AS place;
CREATE OR REPLACE TABLE marts.ind_extreme_stay AS
SELECT 's1:A' AS hospital_id, 'high' AS side, 90.00::DECIMAL(38, 2) AS at_stake;
CREATE OR REPLACE TABLE marts.ind_budget_use AS
SELECT 's1:A' AS hospital_id, 0.5::DOUBLE AS used_share;
CREATE OR REPLACE TABLE marts.ind_common_disease AS
SELECT 's1:A' AS hospital_id, 90.00::DECIMAL(38, 2) AS cost;
CREATE OR REPLACE TABLE marts.ind_special_payment AS
SELECT 's1:A' AS hospital_id, 90.00::DECIMAL(38, 2) AS cost;
CREATE OR REPLACE TABLE marts.ind_group_coverage AS
SELECT 's1:A' AS hospital_id, 0.5::DOUBLE AS stay_share;
CREATE OR REPLACE TABLE marts.ind_low_risk_mortality AS
SELECT 's1:A' AS hospital_id, 0.01::DOUBLE AS low_risk_death_share;
CREATE OR REPLACE TABLE marts.ind_outlier_stay AS
SELECT 's1:A' AS hospital_id, 0.5::DOUBLE AS stay_share;
CREATE OR REPLACE TABLE marts.ind_payment_balance AS
SELECT 's1:A' AS hospital_id, 0.5::DOUBLE AS balance_share;
CREATE OR REPLACE TABLE marts.ind_time_consumption AS
SELECT 's1:A' AS hospital_id, 0.5::DOUBLE AS index_value;
