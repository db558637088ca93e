{{ config(materialized='view') }}

{{ share_of_month('fund_amount', 'fund_stated_cost', 'fund_share') }}
