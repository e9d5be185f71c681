-- When an event arrived, for retention. Two clocks tell it: its receiver's (`received`) and the database's, by
-- which its era was chosen. Where the two agree it is what the receiver told. Where they do not, one was wrong:
-- then it is the later of what both tell, the end of the era for the era, as long as that is not after
-- `latest`, which is now. Null where both tell a time that is still to come: nobody knows.
create function arrived_1(received bigint, era bigint, era_millis bigint, latest bigint) returns bigint
language sql immutable as $$
  select case
    when received <= latest and received between era * era_millis - 60000 and (era + 1) * era_millis + 60000
      then received
    else greatest(
      case when received <= latest then received end,
      case when era * era_millis <= latest then least((era + 1) * era_millis, latest) end
    )
  end
$$;
