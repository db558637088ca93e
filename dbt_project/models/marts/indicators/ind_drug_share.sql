{{ config(materialized='view') }}

{{ share_of_month('drug_amount', 'fee_line_amount', 'drug_share') }}
